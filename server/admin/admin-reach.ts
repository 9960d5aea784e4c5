import { EVERY_TENANT, type Principal } from '../principal.ts'
import { Problem } from '../problem.ts'

/**
 * Whose uploads an administrator's request is about: `asked`, or else the token's tenant. Null: everybody's, for an administrator of all
 * tenants. Throws `forbidden` for another tenant than the token's.
 */
export function adminReach(principal: Principal, asked?: string): string | null {
  if (principal.tenant === EVERY_TENANT) return asked ?? null
  if (asked !== undefined && asked !== principal.tenant) {
    throw new Problem('forbidden', 'The token is for another tenant.')
  }
  return principal.tenant
}

/** Throws `forbidden` for an administrator of one tenant: what this is about is everybody's. */
export function assertOperator(principal: Principal): void {
  if (principal.tenant !== EVERY_TENANT) {
    throw new Problem('forbidden', 'Only a token of all tenants ("tenant": "*") allows this.')
  }
}
