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

/** What a page compared, in the order of its suspects: by key, and of a key its row first. */
export interface Comparison {
  suspects: Suspect[]
  /** What both sides had, up to a position or to the end. */
  compared: (upTo: UploadPosition | null) => number
  end: UploadPosition | null
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
): Promise<Comparison> {
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
  const suspects = [...missing, ...strays].sort((a, b) => compareKeys(a.key, b.key))
  const compared = (upTo: UploadPosition | null) =>
    upTo === null
      ? listed.length + rows.length
      : listed.filter((upload) => comparePositions(upload, upTo) <= 0).length +
        rows.filter((row) => compareKeys(row.key, upTo.key) <= 0).length
  return { suspects, compared, end }
}

/** Where a page ends that has time for no more than the first `done` of its suspects: behind as many of them as can be. Null: behind none. A
 *  row comes before the uploads of its key, and a page that begins within a key does not meet the row: so none ends between the two. */
export function endWithin(
  suspects: readonly Suspect[],
  done: number,
): { count: number; position: UploadPosition } | null {
  for (let count = done; count > 0; count--) {
    const [last, next] = suspects.slice(count - 1, count + 1)
    if (!last) continue
    if (last.listedSince) return { count, position: { key: last.key, ossUploadId: last.ossUploadId } }
    if (last.key !== next?.key) return { count, position: { key: last.key, ossUploadId: null } }
  }
  return null
}

function comparePositions(a: UploadPosition, b: UploadPosition): number {
  const byKey = compareKeys(a.key, b.key)
  if (byKey !== 0 || b.ossUploadId === null) return byKey
  return compareKeys(a.ossUploadId ?? '', b.ossUploadId)
}

/** By their bytes, as OSS and the table have them. */
function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
