import type { EndpointInput, Endpoints, Tenant } from '@partway/client/contract'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { adminReach } from './admin-reach.ts'
import { viewTenant } from './tenant-view.ts'

/** Whether a tenant is suspended, what it may have, and what it has. Throws `forbidden` for another tenant than the token's. */
export async function getTenant(
  deps: Deps,
  principal: Principal,
  { params }: EndpointInput<Endpoints['getTenant']>,
): Promise<Answer<{ tenant: Tenant }>> {
  adminReach(principal, params.tenant)
  return { status: 200, body: { tenant: await viewTenant(deps, params.tenant) } }
}
