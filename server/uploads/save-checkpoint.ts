import { type EndpointInput, type Endpoints, type PartClaim, partSize, type Upload } from '@partway/client/contract'
import { type PartValue, saveClaims } from '../db/part-rows.ts'
import { planOf, type UploadRow } from '../db/upload-row.ts'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { assertPlanned } from './grant-parts.ts'
import { loadUpload, throwMoved, viewUpload } from './load-upload.ts'

/** Records which parts the client says are stored. Claims are shown and used to plan; ListParts replaces them before anything depends
 *  on them. */
export async function saveCheckpoint(
  deps: Deps,
  principal: Principal,
  { params, body }: EndpointInput<Endpoints['saveCheckpoint']>,
): Promise<Answer<{ upload: Upload }>> {
  const row = await loadUpload(deps, principal, params.id, 'saveCheckpoint')
  assertPlanned(row, body.parts)
  const saved = await saveClaims(
    deps.db.prisma,
    row.id,
    body.parts.map((claim) => toPartValue(row, claim)),
  )
  if (!saved) return throwMoved(deps, row.id, 'saveCheckpoint')
  return { status: 200, body: { upload: await viewUpload(deps, saved) } }
}

function toPartValue(row: UploadRow, claim: PartClaim): PartValue {
  return {
    partNumber: claim.partNumber,
    sizeBytes: partSize(planOf(row), claim.partNumber),
    etag: claim.etag?.replaceAll('"', '').toUpperCase() ?? null,
    crc64: claim.crc64 ?? null,
  }
}
