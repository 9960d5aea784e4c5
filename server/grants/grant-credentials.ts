import type { EndpointInput, Endpoints, UploadCredentials } from '@partway/client/contract'
import { recordUploadCredentials } from '../db/credential-rows.ts'
import { extendGrants } from '../db/upload-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { loadUpload, throwMoved } from '../uploads/load-upload.ts'
import { endOfLife } from '../uploads/upload-view.ts'
import { assertNotSuspended } from './assert-not-suspended.ts'
import { credentialFields, requireIssuer, vendCredentials } from './vend-credentials.ts'

// AssumeRole may take so long, tries and all, and its credentials live from then on.
const ISSUE_SECONDS = 60

/**
 * STS credentials for the object of an upload in `uploading`. As with presigned grants, until when they may live is recorded first, in the
 * statement that makes sure of the state: a sweep that comes later sees it, one that came earlier has the state changed. When they are
 * there, their exact end and the audit row are written, if the upload is still open, and only then do they leave.
 * STS makes none for less than 15 minutes, so they can outlive the upload's life by that much; the sweep waits for them.
 */
export async function grantCredentials(
  deps: Deps,
  principal: Principal,
  { params }: EndpointInput<Endpoints['grantCredentials']>,
  context: Pick<RequestContext, 'requestId'>,
): Promise<Answer<UploadCredentials>> {
  requireIssuer(deps)
  await assertNotSuspended(deps, principal.tenant)
  const row = await loadUpload(deps, principal, params.id, 'grantCredentials')
  if (row.sizeBytes === 0) throw new Problem('invalid-request', 'An empty file has nothing to send: complete it.')
  if (endOfLife(row, deps.config.uploads) <= row.readAt) {
    throw new Problem('upload-expired', 'The upload has reached the end of its life.')
  }
  const ttlSeconds = deps.config.sts.ttlSeconds + ISSUE_SECONDS
  const extended = await extendGrants(deps.db.prisma, row.id, { ttlSeconds, parts: 0 })
  if (!extended || extended.ossUploadId === null) return throwMoved(deps, row.id, 'grantCredentials')
  const scope = { kind: 'object', bucket: row.bucket, key: row.key } as const
  const { credentials, audit } = await vendCredentials(deps, principal, scope, context)
  const isOpen = await recordUploadCredentials(deps.db.prisma, row.id, audit)
  if (!isOpen) return throwMoved(deps, row.id, 'grantCredentials')
  deps.metrics.credentialsIssued('upload')
  const body = { ...credentialFields(deps, credentials), key: row.key, uploadId: extended.ossUploadId }
  return { status: 200, body }
}
