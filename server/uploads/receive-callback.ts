import type { UploadState } from '@partway/client/contract'
import type { UploadRow } from '../db/upload-row.ts'
import { findUploadByKey, markCompleted } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { objectFault, wantedCrc64 } from './judge-object.ts'
import { settleLostUpload } from './reconcile-upload.ts'
import { rereadUpload } from './reread-upload.ts'

/**
 * OSS says that it has made an object. That is taken for a hint and nothing more: whoever has a bucket can have OSS send, and sign, any
 * callback, and send an old one again. HeadObject decides, and only for an object that is right; whatever is wrong with one is left to
 * whoever completes the upload. Any number of times: the answer is how the upload stands. Throws `upload-not-found`.
 */
export async function receiveCallback(
  deps: Deps,
  told: { object: string },
): Promise<{ id: string; state: UploadState }> {
  const row = await findUploadByKey(deps.db.prisma, deps.objects.bucket, told.object)
  if (!row) throw new Problem('upload-not-found')
  const { id, state } = isOpen(row) ? await believeObject(deps, row) : row
  return { id, state }
}

function isOpen({ state }: UploadRow): boolean {
  return state === 'uploading' || state === 'completing'
}

async function believeObject(deps: Deps, row: UploadRow): Promise<UploadRow> {
  const object = await deps.objects.headObject(row.key)
  if (!object || objectFault(row, object) !== null) return row
  // Joined by somebody else than this server, which has no intent on record yet.
  if (row.state === 'uploading')
    return settleLostUpload(deps, row).catch((error: unknown) => asItStands(deps, row, error))
  // Whoever sent Complete holds the lease, and waits for OSS, which waits for this answer. That the object is right needs no lease.
  const crc64 = object.crc64 ?? wantedCrc64(row)
  const completed = await markCompleted(deps.db.prisma, row.id, { etag: object.etag, crc64 })
  if (completed) deps.metrics.uploadCompleted(row.sizeBytes)
  return completed ?? rereadUpload(deps, row.id)
}

/** Parts that are missing are no concern of OSS's. */
function asItStands(deps: Deps, row: UploadRow, error: unknown): Promise<UploadRow> {
  if (error instanceof Problem && error.status === 409) return rereadUpload(deps, row.id)
  throw error
}
