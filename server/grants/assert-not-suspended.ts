import { isSuspended } from '../db/tenant-rows.ts'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'

/**
 * Throws `tenant-suspended`. Asked of the database for every new upload and set of credentials, by its primary key, and for presigned parts
 * in the statement that extends the grants: a suspension then holds on every instance from the next request on, and there is no copy of
 * it that could be old.
 */
export async function assertNotSuspended(deps: Pick<Deps, 'db'>, tenant: string): Promise<void> {
  if (await isSuspended(deps.db.prisma, tenant)) throw new Problem('tenant-suspended')
}
