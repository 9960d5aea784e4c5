import type { EndpointInput, Endpoints, Upload } from '@partway/client/contract'
import { listUploadRows } from '../db/upload-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import { readCursor, writeCursor } from '../page-cursor.ts'
import { type Principal, reachOf } from '../principal.ts'
import { viewUploads } from './load-upload.ts'

const defaultLimit = 50
const uploadId = /^upl_[0-9a-f]{32}$/

/** A page of the caller's uploads, newest first. */
export async function listUploads(
  deps: Deps,
  principal: Principal,
  { query }: EndpointInput<Endpoints['listUploads']>,
): Promise<Answer<{ uploads: Upload[]; nextCursor: string | null }>> {
  const { state, fingerprint, cursor, limit = defaultLimit } = query
  const after = cursor === undefined ? null : readCursor(cursor, uploadId)
  // One row more than asked for tells whether there is another page.
  const rows = await listUploadRows(
    deps.db.prisma,
    reachOf(principal),
    { state, fingerprint },
    { after, limit: limit + 1 },
  )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const nextCursor = rows.length > limit && last ? writeCursor(last) : null
  return { status: 200, body: { uploads: await viewUploads(deps, page), nextCursor } }
}
