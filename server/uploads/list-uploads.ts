import type { EndpointInput, Endpoints, Upload } from '@partway/client/contract'
import { z } from 'zod'
import type { UploadRow } from '../db/upload-row.ts'
import { listUploadRows } from '../db/upload-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import { type Principal, reachOf } from '../principal.ts'
import { Problem } from '../problem.ts'
import { viewUploads } from './load-upload.ts'

const defaultLimit = 50

/** A page of the caller's uploads, newest first. */
export async function listUploads(
  deps: Deps,
  principal: Principal,
  { query }: EndpointInput<Endpoints['listUploads']>,
): Promise<Answer<{ uploads: Upload[]; nextCursor: string | null }>> {
  const { state, fingerprint, cursor, limit = defaultLimit } = query
  const after = cursor === undefined ? null : readCursor(cursor)
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

const Cursor = z.tuple([z.iso.datetime(), z.string().regex(/^upl_[0-9a-f]{32}$/)])

function writeCursor(row: UploadRow): string {
  return Buffer.from(JSON.stringify([row.createdAt.toISOString(), row.id])).toString('base64url')
}

function readCursor(cursor: string): { createdAt: Date; id: string } {
  try {
    const [createdAt, id] = Cursor.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')))
    const instant = new Date(createdAt)
    // Only what writeCursor writes: other forms of the same instant, or years Postgres does not know, are not ours.
    if (instant.toISOString() !== createdAt || instant.getTime() < 0) throw new RangeError('not a cursor of ours')
    return { createdAt: instant, id }
  } catch (cause) {
    const errors = [{ detail: 'must be the nextCursor of an earlier page', pointer: '/query/cursor' }]
    throw new Problem('invalid-request', 'The cursor is not one of ours.', { cause, errors })
  }
}
