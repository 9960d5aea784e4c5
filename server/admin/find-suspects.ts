import { findUploadsByKeys, listUploadingRows } from '../db/orphan-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import type { Deps } from '../deps.ts'
import type { UploadPosition } from '../oss/object-store.ts'
import { standingOf } from './orphan-standing.ts'

/** What may be an orphan, until it was asked about by its id. */
export interface Suspect {
  key: string
  ossUploadId: string
  /** The row of its key, as it was before OSS is asked. */
  row: UploadRow | null
  /** When it began, for what stands in the bucket's list; null for a row whose upload does not. */
  listedSince: Date | null
}

/** Where a page begins: below a prefix, beyond a position or at the first key. */
export interface PageStart {
  prefix: string
  after: UploadPosition | null
}

/**
 * Compares a page of the bucket's list with the table, both in the order of the keys: at most `limit` multipart uploads, and the rows in
 * the same range of keys. With more rows than `limit` the range ends at the last of them, and what the list has beyond is read again with
 * the next page, so neither side is ever held as a whole. Rows are read after the list: an upload's row is older than the upload, so
 * one that began meanwhile is no stray. The end of an earlier page may lie within a key; its row was compared there.
 */
export async function findSuspects(
  { db, objects }: Pick<Deps, 'db' | 'objects'>,
  { prefix, after }: PageStart,
  tenant: string | null,
  limit: number,
): Promise<{ suspects: Suspect[]; compared: number; end: UploadPosition | null }> {
  const { uploads, next } = await objects.listUploads(prefix, { after, limit })
  const range = { prefix, after: after?.key ?? null, upTo: next?.key ?? null }
  const read = await listUploadingRows(db.prisma, objects.bucket, range, tenant, limit + 1)
  const rows = read.slice(0, limit)
  const last = read.length > limit ? rows.at(-1) : undefined
  const end = last ? { key: last.key, ossUploadId: null } : next
  const listed = last ? uploads.filter((upload) => compareKeys(upload.key, last.key) <= 0) : uploads

  const keys = [...new Set(listed.map((upload) => upload.key))]
  const known = new Map((await findUploadsByKeys(db.prisma, objects.bucket, keys)).map((row) => [row.key, row]))
  const strays = listed.flatMap(({ key, ossUploadId, initiatedAt }): Suspect[] => {
    const row = known.get(key) ?? null
    return standingOf(row, ossUploadId) === 'stray' ? [{ key, ossUploadId, row, listedSince: initiatedAt }] : []
  })
  const ids = new Set(listed.map((upload) => upload.ossUploadId))
  const missing = rows.flatMap((row): Suspect[] =>
    row.ossUploadId === null || ids.has(row.ossUploadId)
      ? []
      : [{ key: row.key, ossUploadId: row.ossUploadId, row, listedSince: null }],
  )
  const suspects = [...strays, ...missing].sort((a, b) => compareKeys(a.key, b.key))
  return { suspects, compared: listed.length + rows.length, end }
}

/** By their bytes, as OSS and the table have them. */
function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
