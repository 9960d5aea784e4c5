import { type PartValue, replaceParts } from '../db/part-rows.ts'
import { planOf, type UploadRow } from '../db/upload-row.ts'
import { beginCompleting } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import type { ListedPart } from '../oss/object-store.ts'
import { storedParts } from './check-parts.ts'
import { finishUpload } from './finish-upload.ts'
import { rereadUpload } from './reread-upload.ts'
import { readStoredParts } from './stored-parts.ts'
import { LEASE_SECONDS } from './upload-state.ts'

/**
 * Makes an `uploading` row say what OSS holds, and returns it. When OSS does not know the upload any more, the row ends as the object under
 * its key says.
 */
export async function reconcileUpload(deps: Deps, row: UploadRow): Promise<UploadRow> {
  const listed = await readStoredParts(deps.objects, row)
  if (!listed) return settleLostUpload(deps, row)
  return (await replaceParts(deps.db, row.id, knownParts(row, listed))) ?? rereadUpload(deps, row.id)
}

/** What of the parts OSS holds counts as stored: those of the planned size, any other must be sent again. Nobody knows the plan of an upload
 *  that was adopted: there all count. */
export function knownParts(
  row: Pick<UploadRow, 'adoptedAt' | 'sizeBytes' | 'partSizeBytes'>,
  listed: readonly ListedPart[],
): readonly PartValue[] {
  return row.adoptedAt === null ? storedParts(planOf(row), listed) : listed
}

/** The multipart upload of an `uploading` row is gone: completed by somebody, aborted elsewhere, or expired by the bucket's lifecycle. While
 *  credentials live, their holder may have sent a Complete a moment ago: the object is waited for as after a Complete of ours. No object
 *  is deleted here, whatever is wrong with it: this server did not make it. */
export async function settleLostUpload(deps: Deps, row: UploadRow): Promise<UploadRow> {
  const maySendComplete = row.credentialsAliveUntil !== null && row.credentialsAliveUntil > row.readAt
  const completing = await beginCompleting(deps.db.prisma, row.id, null, LEASE_SECONDS, maySendComplete)
  return completing ? finishUpload(deps, completing) : rereadUpload(deps, row.id)
}
