import type { EndpointInput, Endpoints, Sweep } from '@partway/client/contract'
import { z } from 'zod'
import { listSweepRows } from '../db/sweep-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { adminReach } from './admin-reach.ts'
import { foreignCursor, seal, unseal } from './seals.ts'
import { toSweepView } from './sweep-view.ts'

const defaultLimit = 20
const Position = z.object({ startedAt: z.iso.datetime(), id: z.string() })

/** A page of reports, newest first: of the sweeps of one tenant's uploads, or for an administrator of all tenants of each. Throws `forbidden`
 *  for another tenant than the token's. */
export async function listSweeps(
  deps: Deps,
  principal: Principal,
  { query }: EndpointInput<Endpoints['listSweeps']>,
): Promise<Answer<{ sweeps: Sweep[]; nextCursor: string | null }>> {
  const { cursor, limit = defaultLimit } = query
  const tenant = adminReach(principal, query.tenant)
  const purpose = `sweeps ${JSON.stringify(tenant)}`
  const after = cursor === undefined ? null : Position.safeParse(await unseal(deps, purpose, cursor))
  if (after && !after.success) throw foreignCursor()
  // One row more than asked for tells whether there is another page.
  const rows = await listSweepRows(deps.db.prisma, tenant, { after: after?.data ?? null, limit: limit + 1 })
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const nextCursor =
    rows.length > limit && last ? await seal(deps, purpose, { startedAt: last.startedAt, id: last.id }) : null
  return { status: 200, body: { sweeps: page.map(toSweepView), nextCursor } }
}
