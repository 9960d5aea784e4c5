import type { AbortReason, PartPlan, UploadState } from '@partway/client/contract'
import { Prisma, type Upload } from '../../prisma/generated/client.ts'

/** A row of `uploads` as the rest of the server sees it: byte counts are numbers (an object has at most 48.8 TiB, far below 2^53). */
export interface UploadRow
  extends Omit<Upload, 'state' | 'abortReason' | 'metadata' | 'sizeBytes' | 'partSizeBytes' | 'storedBytes'> {
  state: UploadState
  abortReason: AbortReason | null
  metadata: Record<string, string>
  sizeBytes: number
  partSizeBytes: number
  storedBytes: number
  /** The database's clock at the time of reading: ages are computed from it, never from this process's own. */
  readAt: Date
}

// Raw statements name the columns as the model does, so that both ways of reading yield the same shape.
function columnOf(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The select list of a raw statement on `uploads` that reads some of its columns. */
export function selectUpload(fields: readonly Prisma.UploadScalarFieldEnum[]): Prisma.Sql {
  const columns = fields.map((field) => `uploads."${columnOf(field)}" AS "${field}"`)
  return Prisma.raw([...columns, 'now() AS "readAt"'].join(', '))
}

/** The select list of a raw statement on `uploads`. */
export const uploadColumns = selectUpload(Object.values(Prisma.UploadScalarFieldEnum))

export type RawUpload = Upload & { readAt: Date }

export function toUploadRow(raw: RawUpload): UploadRow {
  return {
    ...raw,
    state: raw.state as UploadState,
    abortReason: raw.abortReason as AbortReason | null,
    metadata: raw.metadata as Record<string, string>,
    sizeBytes: safeNumber(raw.sizeBytes),
    partSizeBytes: safeNumber(raw.partSizeBytes),
    storedBytes: safeNumber(raw.storedBytes),
  }
}

/** The plan the upload was created with. */
export function planOf(row: Pick<UploadRow, 'sizeBytes' | 'partSizeBytes'>): PartPlan {
  const { sizeBytes, partSizeBytes } = row
  return { sizeBytes, partSizeBytes, partCount: Math.ceil(sizeBytes / partSizeBytes) }
}

/** A byte count of the database as a number. Throws RangeError from 2^53 on, where numbers are not exact. */
export function safeNumber(value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new RangeError(`the database holds a byte count of ${value}`)
  return number
}
