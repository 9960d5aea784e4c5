import type { EndpointInput, Endpoints, Tenant } from '@partway/client/contract'
import type { Queries } from '../db/client.ts'
import { reinstateTenant, setLimits, suspendTenant } from '../db/tenant-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import { EVERY_TENANT, type Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { adminReach, assertOperator } from './admin-reach.ts'
import { viewTenant } from './tenant-view.ts'

/**
 * The kill switch: no new uploads, grants and credentials for a tenant, on any instance, from the next request on. What was handed out
 * before lives to its end. An administrator of one tenant reaches only that one, and cannot lift what an administrator of all has said.
 * And the tenant's limits, which only an administrator of all sets: they hold for the next create, and end nothing that is open.
 * Everything asked for is done, or nothing.
 */
export async function updateTenant(
  deps: Deps,
  principal: Principal,
  { params, body }: EndpointInput<Endpoints['updateTenant']>,
  { log }: Pick<RequestContext, 'log'>,
): Promise<Answer<{ tenant: Tenant }>> {
  adminReach(principal, params.tenant)
  if (body.limits) assertOperator(principal)
  const { suspended, limits } = body
  await deps.db.transaction(async (sql) => {
    if (suspended !== undefined) await setSuspended(sql, principal, params.tenant, suspended)
    if (limits) await setLimits(sql, params.tenant, limits)
  })
  const by = { tenant: principal.tenant, subject: principal.subject }
  if (suspended !== undefined) {
    log.warn({ tenant: params.tenant, by }, suspended ? 'a tenant is suspended' : 'a tenant is not suspended')
  }
  if (limits) log.warn({ tenant: params.tenant, by, limits }, 'a tenant has other limits')
  return { status: 200, body: { tenant: await viewTenant(deps, params.tenant) } }
}

async function setSuspended(sql: Queries, principal: Principal, tenant: string, suspended: boolean): Promise<void> {
  const isOperator = principal.tenant === EVERY_TENANT
  if (suspended) await suspendTenant(sql, tenant, isOperator)
  else if (!(await reinstateTenant(sql, tenant, isOperator))) {
    throw new Problem('tenant-suspended', 'Only an administrator of all tenants can lift this suspension.')
  }
}
