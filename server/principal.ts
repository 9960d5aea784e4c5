import type { Scope } from '@partway/client/contract'

/** The tenant of an operator's token: all of them, under /v1/admin only. Only an explicit `tenant` claim says so. */
export const EVERY_TENANT = '*'

/** Who is calling, as a verified token says. */
export interface Principal {
  /** The token's `tenant`, by default its `sub`. Any text of 1 to 256 characters without control characters. */
  tenant: string
  /** The token's `sub`; the same bounds. */
  subject: string
  scopes: ReadonlySet<Scope>
  limits: { maxSizeBytes?: number | undefined; contentTypes?: readonly string[] | undefined }
}

/** Which rows a principal reaches: its own, or with `uploads:tenant` all of its tenant's. */
export interface Reach {
  tenant: string
  /** Null: every subject of the tenant. */
  subject: string | null
}

/** The rows that `principal` may read and change through /v1/uploads. */
export function reachOf(principal: Principal): Reach {
  return { tenant: principal.tenant, subject: principal.scopes.has('uploads:tenant') ? null : principal.subject }
}
