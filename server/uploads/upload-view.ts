import type { Upload } from '@partway/client/contract'
import { planOf, type UploadRow } from '../db/upload-row.ts'

/** How long uploads live, from the configuration. */
export interface UploadLife {
  ttlSeconds: number
  staleAfterSeconds: number
}

/** The absolute end of an upload's life, whatever happens. */
export function endOfLife(row: Pick<UploadRow, 'createdAt'>, life: Pick<UploadLife, 'ttlSeconds'>): Date {
  return new Date(row.createdAt.getTime() + life.ttlSeconds * 1000)
}

/** When the upload ends if nothing more happens: some time after its last activity, not before its last grant dies, and never
 *  after the end of its life. */
export function expiresAt(
  row: Pick<UploadRow, 'createdAt' | 'lastActivityAt' | 'grantsAliveUntil'>,
  life: UploadLife,
): Date {
  const staleAt = row.lastActivityAt.getTime() + life.staleAfterSeconds * 1000
  return new Date(Math.min(endOfLife(row, life).getTime(), Math.max(staleAt, row.grantsAliveUntil?.getTime() ?? 0)))
}

/** The row as the contract's `upload`. `storedRanges`: inclusive ranges of part numbers, for an open upload. */
export function toUploadView(
  row: UploadRow,
  storedRanges: readonly (readonly [first: number, last: number])[],
  life: UploadLife,
): Upload {
  const { partCount } = planOf(row)
  const ranges = row.state === 'completed' && partCount > 0 ? [[1, partCount] as const] : storedRanges
  return {
    id: row.id,
    state: row.state,
    fileName: row.fileName,
    contentType: row.contentType,
    metadata: row.metadata,
    sizeBytes: row.sizeBytes,
    partSizeBytes: row.partSizeBytes,
    partCount,
    bucket: row.bucket,
    region: row.region,
    key: row.key,
    uploadId: row.ossUploadId,
    fingerprint: row.fingerprint,
    storedPartRanges: ranges.map(([first, last]) => [first, last]),
    storedBytes: row.storedBytes,
    createdAt: row.createdAt.toISOString(),
    lastActivityAt: row.lastActivityAt.toISOString(),
    expiresAt: expiresAt(row, life).toISOString(),
    completedAt: row.completedAt?.toISOString() ?? null,
    etag: row.etag,
    crc64: row.crc64,
    abortReason: row.abortReason,
  }
}
