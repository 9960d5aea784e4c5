import type { UploadRow } from '../db/upload-row.ts'
import type { ObjectFacts } from '../oss/object-store.ts'

/** What is wrong with the object found under an upload's key; null when it is the upload's, whole. Pure. */
export function objectFault(
  row: Pick<UploadRow, 'id' | 'sizeBytes' | 'expectedCrc64' | 'claimedCrc64'>,
  object: ObjectFacts,
): 'key-taken' | 'integrity' | null {
  if (object.uploadTag !== row.id) return 'key-taken'
  const wanted = wantedCrc64(row)
  const isSame = wanted === null || object.crc64 === null || object.crc64 === wanted
  return object.sizeBytes === row.sizeBytes && isSame ? null : 'integrity'
}

/** The CRC-64 the object must have, as far as it is known. */
export function wantedCrc64(row: Pick<UploadRow, 'expectedCrc64' | 'claimedCrc64'>): string | null {
  return row.expectedCrc64 ?? row.claimedCrc64
}
