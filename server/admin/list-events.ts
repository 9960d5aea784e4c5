import type { AdminEvent, EndpointInput, Endpoints } from '@partway/client/contract'
import { listEventRows } from '../db/event-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import { readCursor, writeCursor } from '../page-cursor.ts'
import type { Principal } from '../principal.ts'
import { adminReach } from './admin-reach.ts'

const defaultLimit = 50
const eventId = /^[1-9][0-9]{0,17}$/

/** A page of what happened to the caller's tenant, newest first; an administrator of all tenants sees each. Throws `forbidden` for
 *  another tenant than the token's. */
export async function listEvents(
  deps: Deps,
  principal: Principal,
  { query }: EndpointInput<Endpoints['listEvents']>,
): Promise<Answer<{ events: AdminEvent[]; nextCursor: string | null }>> {
  const { cursor, limit = defaultLimit } = query
  const after = cursor === undefined ? null : readCursor(cursor, eventId)
  // One row more than asked for tells whether there is another page.
  const rows = await listEventRows(deps.db.prisma, adminReach(principal, query.tenant), { after, limit: limit + 1 })
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const events = page.map((row) => ({ ...row, createdAt: row.createdAt.toISOString() }))
  return { status: 200, body: { events, nextCursor: rows.length > limit && last ? writeCursor(last) : null } }
}
