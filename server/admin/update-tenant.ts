import type { EndpointInput, Endpoints, Tenant } from '@partway/client/contract'
import { reinstateTenant, suspendTenant } from '../db/tenant-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import { EVERY_TENANT, type Principal } from '../principal.ts'
import { Problem } from '../problem.ts'

/**
 * The kill switch: no new uploads, grants and credentials for a tenant, on any instance, from the next request on. What was handed out
 * before lives to its end. An administrator of one tenant reaches only that one, and cannot lift what an administrator of all has said.
 */
export async function updateTenant(
  deps: Deps,
  principal: Principal,
  { params, body }: EndpointInput<Endpoints['updateTenant']>,
  { log }: Pick<RequestContext, 'log'>,
): Promise<Answer<{ tenant: Tenant }>> {
  const isOperator = principal.tenant === EVERY_TENANT
  if (!isOperator && principal.tenant !== params.tenant) {
    throw new Problem('forbidden', 'The token is for another tenant.')
  }
  const row = body.suspended
    ? await suspendTenant(deps.db.prisma, params.tenant, isOperator)
    : await reinstateTenant(deps.db.prisma, params.tenant, isOperator)
  if (!row) throw new Problem('tenant-suspended', 'Only an administrator of all tenants can lift this suspension.')
  const suspended = row.suspendedAt !== null
  const by = { tenant: principal.tenant, subject: principal.subject }
  log.warn({ tenant: row.tenant, by }, suspended ? 'a tenant is suspended' : 'a tenant is not suspended')
  return {
    status: 200,
    body: { tenant: { tenant: row.tenant, suspended, suspendedAt: row.suspendedAt?.toISOString() ?? null } },
  }
}
