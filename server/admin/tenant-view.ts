import type { Tenant } from '@partway/client/contract'
import { readTenant } from '../db/tenant-rows.ts'
import type { Deps } from '../deps.ts'
import { effectiveLimits } from '../tenant-limits.ts'

/** A tenant as administrators see it; one that nothing was ever said about is an ordinary one. */
export async function viewTenant({ db, config }: Pick<Deps, 'db' | 'config'>, name: string): Promise<Tenant> {
  const { tenant, suspendedAt, limits, usage } = await readTenant(db.prisma, name)
  return {
    tenant,
    suspended: suspendedAt !== null,
    suspendedAt: suspendedAt?.toISOString() ?? null,
    limits,
    effectiveLimits: effectiveLimits(limits, config.uploads.quotas),
    usage,
  }
}
