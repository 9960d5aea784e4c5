import { isPlannedPart, partSize } from '@partway/client/contract'
import { replaceParts } from '../db/part-rows.ts'
import { planOf, type UploadRow } from '../db/upload-row.ts'
import { beginCompleting } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { finishUpload } from './finish-upload.ts'
import { rereadUpload } from './reread-upload.ts'
import { readStoredParts } from './stored-parts.ts'
import { LEASE_SECONDS } from './upload-state.ts'

/**
 * Makes an `uploading` row say what OSS holds, and returns it. A part of another size than planned is not stored: it must be sent again.
 * When OSS does not know the upload any more, the row ends as the object under its key says.
 */
export async function reconcileUpload(deps: Deps, row: UploadRow): Promise<UploadRow> {
  const listed = await readStoredParts(deps.objects, row)
  if (!listed) return settleLostUpload(deps, row)
  const plan = planOf(row)
  const stored = listed.filter(
    (part) => isPlannedPart(plan, part.partNumber) && part.sizeBytes === partSize(plan, part.partNumber),
  )
  return (await replaceParts(deps.db.prisma, row.id, stored)) ?? rereadUpload(deps, row.id)
}

/** The multipart upload of an `uploading` row is gone: completed by somebody, aborted elsewhere, or expired by the bucket's lifecycle. */
export async function settleLostUpload(deps: Deps, row: UploadRow): Promise<UploadRow> {
  const completing = await beginCompleting(deps.db.prisma, row.id, LEASE_SECONDS)
  return completing ? finishUpload(deps, completing, null) : rereadUpload(deps, row.id)
}
