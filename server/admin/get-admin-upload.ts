import type { AdminUploadDetail, EndpointInput, Endpoints } from '@partway/client/contract'
import { findGrantsOfUpload } from '../db/credential-rows.ts'
import { findEventsOfUpload } from '../db/event-rows.ts'
import { findPartRanges, listPartRows } from '../db/part-rows.ts'
import { planOf, type UploadRow } from '../db/upload-row.ts'
import { findUpload } from '../db/upload-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { adminReach } from './admin-reach.ts'
import { toAdminUpload } from './admin-upload-view.ts'

const partsPerPage = 1000
const credentialsShown = 100
const eventsShown = 200

/** One upload with all that is known of it, as the database has it: OSS is not asked. Throws `upload-not-found`, also for one of another
 *  tenant than the token's. */
export async function getAdminUpload(
  deps: Deps,
  principal: Principal,
  { params, query }: EndpointInput<Endpoints['getAdminUpload']>,
): Promise<Answer<AdminUploadDetail>> {
  const sql = deps.db.prisma
  const tenant = adminReach(principal)
  const row = await findUpload(sql, params.id, tenant === null ? undefined : { tenant, subject: null })
  if (!row) throw new Problem('upload-not-found')
  const [parts, ranges, credentials, events] = await Promise.all([
    // One part more than a page tells whether there is another one.
    listPartRows(sql, row.id, { after: query.partsAfter ?? 0, limit: partsPerPage + 1 }),
    findPartRanges(sql, [row.id]),
    findGrantsOfUpload(sql, row.id, credentialsShown),
    findEventsOfUpload(sql, row.id, eventsShown),
  ])
  const page = parts.slice(0, partsPerPage)
  return {
    status: 200,
    body: {
      upload: toAdminUpload(row, deps.config.uploads),
      metadata: row.metadata,
      fingerprint: row.fingerprint,
      ossUploadId: row.ossUploadId,
      storedPartRanges: storedRanges(row, ranges.get(row.id) ?? []),
      parts: page,
      nextPartsAfter: parts.length > partsPerPage ? (page.at(-1)?.partNumber ?? null) : null,
      grants: grantsOf(row),
      credentials: credentials.map((grant) => ({
        ...grant,
        createdAt: grant.createdAt.toISOString(),
        expiresAt: grant.expiresAt.toISOString(),
      })),
      events: events.map((event) => ({ ...event, createdAt: event.createdAt.toISOString() })),
    },
  }
}

/** The part rows of a completed upload are forgotten: all of its plan were stored. */
function storedRanges(row: UploadRow, known: [first: number, last: number][]): [first: number, last: number][] {
  const { partCount } = planOf(row)
  if (row.state !== 'completed') return known
  return partCount > 0 ? [[1, partCount]] : []
}

/** Part URLs alone. The row knows when the last permission of either kind ends: where no URL was handed out, it is the credentials'. */
function grantsOf(row: UploadRow): AdminUploadDetail['grants'] {
  const isOfCredentials = row.lastGrantedAt === null && row.credentialsAliveUntil !== null
  return {
    grantedParts: row.grantedParts,
    lastGrantedAt: row.lastGrantedAt?.toISOString() ?? null,
    aliveUntil: isOfCredentials ? null : (row.grantsAliveUntil?.toISOString() ?? null),
  }
}
