import type { AdminUpload, EndpointInput, Endpoints, UploadState } from '@partway/client/contract'
import { type AdminUploadFilter, type AdminUploadOrder, openStates } from '../db/admin-upload-filter.ts'
import { listAdminUploadRows } from '../db/admin-upload-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { adminReach } from './admin-reach.ts'
import { sealPosition, unsealPosition } from './admin-upload-cursor.ts'
import { toAdminUpload } from './admin-upload-view.ts'

type Query = EndpointInput<Endpoints['listAdminUploads']>['query']

const defaultLimit = 50

/**
 * A page of uploads with what they hold: by default the open ones, longest idle first. Filters combine. Any page costs the same, see
 * admin-upload-rows.ts. While rows change, each that keeps its place in the order is shown once. Throws `forbidden` for another tenant than
 * the token's, `invalid-request` for a cursor of another list, and for bytes held by uploads that hold none.
 */
export async function listAdminUploads(
  deps: Deps,
  principal: Principal,
  { query }: EndpointInput<Endpoints['listAdminUploads']>,
): Promise<Answer<{ uploads: AdminUpload[]; nextCursor: string | null }>> {
  assertHolding(query)
  const filter = filterOf(query, adminReach(principal, query.tenant))
  const order = orderOf(query)
  const after = query.cursor === undefined ? null : await unsealPosition(deps, filter, order, query.cursor)
  const limit = query.limit ?? defaultLimit
  // One row more than asked for tells whether there is another page.
  const rows = await listAdminUploadRows(deps.db.prisma, filter, order, { after, limit: limit + 1 })
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const nextCursor =
    rows.length > limit && last
      ? await sealPosition(deps, filter, order, { value: last[order.sort], id: last.id })
      : null
  return { status: 200, body: { uploads: page.map((row) => toAdminUpload(row, deps.config.uploads)), nextCursor } }
}

const isEnded = (state: UploadState | undefined) => state === 'completed' || state === 'aborted'

function assertHolding({ state, sort, minBytes }: Query): void {
  if (!isEnded(state)) return
  const detail = `is not for ${state} uploads: they hold no parts`
  const errors = [
    ...(sort === 'storedBytes' ? [{ detail, pointer: '/query/sort' }] : []),
    ...(minBytes !== undefined ? [{ detail, pointer: '/query/minBytes' }] : []),
  ]
  if (errors.length > 0)
    throw new Problem('invalid-request', `The list of ${state} uploads knows no bytes.`, { errors })
}

function filterOf({ state, staleForSeconds, prefix, minBytes }: Query, tenant: string | null): AdminUploadFilter {
  return {
    tenant,
    states: state === undefined ? openStates : [state],
    idleSeconds: staleForSeconds ?? null,
    prefix: prefix ?? null,
    minBytes: minBytes ?? null,
  }
}

/** What is worth looking at first: the longest idle, the oldest, the biggest; of ended uploads the latest. */
function orderOf({ sort = 'lastActivityAt', order, state }: Query): AdminUploadOrder {
  return { sort, direction: order ?? (sort === 'storedBytes' || isEnded(state) ? 'desc' : 'asc') }
}
