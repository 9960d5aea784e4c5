import { findTenant, type TenantRow } from '../db/tenant-rows.ts'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'

/**
 * Throws `tenant-suspended`, or resolves with what else was said about the tenant. Asked of the database for every new upload and set of
 * credentials, by its primary key, and for presigned parts in the statement that extends the grants: what an administrator says then holds on
 * every instance from the next request on, and there is no copy of it that could be old.
 */
export async function assertNotSuspended(deps: Pick<Deps, 'db'>, tenant: string): Promise<TenantRow> {
  const row = await findTenant(deps.db.prisma, tenant)
  if (row.suspendedAt !== null) throw new Problem('tenant-suspended')
  return row
}
