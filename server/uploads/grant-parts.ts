import type { EndpointInput, Endpoints, PartGrant, PartRequest } from '@partway/client/contract'
import { isPlannedPart, partSize } from '@partway/client/contract'
import { planOf, type UploadRow } from '../db/upload-row.ts'
import { extendGrants } from '../db/upload-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import { assertNotSuspended } from '../grants/assert-not-suspended.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { loadUpload, throwMoved } from './load-upload.ts'
import { endOfLife } from './upload-view.ts'

/** Presigned URLs for some parts of an upload. */
export async function grantParts(
  deps: Deps,
  principal: Principal,
  { params, body }: EndpointInput<Endpoints['grantParts']>,
): Promise<Answer<{ grants: PartGrant[] }>> {
  const row = await loadUpload(deps, principal, params.id, 'grantParts')
  assertPlanned(row, body.parts)
  return { status: 200, body: { grants: await issueGrants(deps, row, body.parts) } }
}

/** Throws `invalid-request` naming every part that the upload's plan does not have. */
export function assertPlanned(
  row: Pick<UploadRow, 'sizeBytes' | 'partSizeBytes'>,
  parts: readonly { partNumber: number }[],
): void {
  const plan = planOf(row)
  const errors = parts.flatMap(({ partNumber }, index) =>
    isPlannedPart(plan, partNumber)
      ? []
      : [{ detail: `the upload has ${plan.partCount} parts`, pointer: `/body/parts/${index}/partNumber` }],
  )
  if (errors.length > 0) throw new Problem('invalid-request', 'Some parts are not of this upload.', { errors })
}

/**
 * Signs grants for parts of an upload in `uploading`. Until when they live is recorded first, in the statement that also makes sure
 * of the state, and of the tenant: a sweep that comes later sees them, one that came earlier has the state changed. Throws
 * `tenant-suspended`, and `upload-expired` at the end of the upload's life.
 */
export async function issueGrants(deps: Deps, row: UploadRow, parts: readonly PartRequest[]): Promise<PartGrant[]> {
  if (parts.length === 0) return []
  const { grantTtlSeconds } = deps.config.uploads
  const lifeLeftSeconds = (endOfLife(row, deps.config.uploads).getTime() - row.readAt.getTime()) / 1000
  const ttlSeconds = Math.floor(Math.min(grantTtlSeconds, lifeLeftSeconds, await deps.objects.maxGrantSeconds()))
  if (ttlSeconds < 1) throw new Problem('upload-expired', 'The upload has reached the end of its life.')
  const extended = await extendGrants(deps.db.prisma, row.id, { ttlSeconds, parts: parts.length })
  if (!extended || extended.ossUploadId === null) {
    await assertNotSuspended(deps, row.tenant)
    return throwMoved(deps, row.id, 'grantParts')
  }
  const { presign, expiresAt } = await deps.objects.presignParts(row.key, extended.ossUploadId, ttlSeconds)
  const plan = planOf(row)
  const expiresAtText = expiresAt.toISOString()
  const grants = parts.map(({ partNumber, md5 }): PartGrant => {
    const sizeBytes = partSize(plan, partNumber)
    const { url, headers } = presign({ partNumber, sizeBytes, md5 })
    return { partNumber, method: 'PUT', url, headers, sizeBytes, expiresAt: expiresAtText }
  })
  deps.metrics.grantsIssued(grants.length)
  return grants
}
