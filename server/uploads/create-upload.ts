import { setTimeout as delay } from 'node:timers/promises'
import {
  type EndpointInput,
  type Endpoints,
  type PartGrant,
  type PartRequest,
  planParts,
  type Upload,
} from '@partway/client/contract'
import type { UploadRow } from '../db/upload-row.ts'
import { claimIfDue, findUpload } from '../db/upload-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import { assertNotSuspended } from '../grants/assert-not-suspended.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { effectiveLimits } from '../tenant-limits.ts'
import { assertCallbackAllowed } from './callback-rules.ts'
import { findOrInsertUpload } from './find-or-insert-upload.ts'
import { issueGrants } from './grant-parts.ts'
import { viewUpload } from './load-upload.ts'
import { restartUpload, startUpload } from './start-upload.ts'
import { assertAllowed } from './upload-rules.ts'
import { LEASE_SECONDS } from './upload-state.ts'

type Input = EndpointInput<Endpoints['createUpload']>

// How long a caller waits while another one starts the upload both want.
const longestWaitMs = 10_000

/**
 * Starts an upload: plan, row, multipart upload, grants. Or finds the one that is meant: by idempotency key, or with `resume` by
 * fingerprint and size. The row is written before OSS is asked, so nothing at OSS is ever without a row that knows its key.
 */
export async function createUpload(
  deps: Deps,
  principal: Principal,
  input: Input,
): Promise<Answer<{ upload: Upload; grants: PartGrant[] }>> {
  const { body } = input
  assertAllowed(deps.config.uploads, principal, body)
  const { limits } = await assertNotSuspended(deps, principal.tenant)
  assertCallbackAllowed(deps.config.uploads.callbackAllowedOrigins, body.callback)
  const { row, how } = await findOrInsertUpload(
    deps,
    principal,
    input,
    effectiveLimits(limits, deps.config.uploads.quotas),
  )
  deps.passed?.('create: row written')
  const started =
    row.state !== 'pending' ? row : how === 'new' ? await startUpload(deps, row) : await awaitStart(deps, row)
  deps.metrics.uploadCreated(how)
  const isPlanAsExpected = started.partSizeBytes === planParts(body.sizeBytes, body.partSizeBytes).partSizeBytes
  const parts = started.state === 'uploading' && isPlanAsExpected ? (body.parts ?? []) : []
  return {
    status: how === 'new' ? 201 : 200,
    body: { upload: await viewUpload(deps, started), grants: await grantsIfPossible(deps, started, parts) },
  }
}

/** The upload may have ended, or reached the end of its life, since it was found. Then it is answered as it is, without grants. */
async function grantsIfPossible(deps: Deps, row: UploadRow, parts: readonly PartRequest[]): Promise<PartGrant[]> {
  try {
    return await issueGrants(deps, row, parts)
  } catch (error) {
    const isOfState = error instanceof Problem && [404, 409, 410].includes(error.status)
    if (isOfState) return []
    throw error
  }
}

/** Somebody else is starting this upload: waits for the outcome, and takes over when they fail to. After some time answers with the
 *  row as it is, `pending`. */
async function awaitStart(deps: Deps, row: UploadRow): Promise<UploadRow> {
  const endsAt = performance.now() + longestWaitMs
  let current: UploadRow | null = row
  while (current?.state === 'pending' && performance.now() < endsAt) {
    const claimed = await claimIfDue(deps.db.prisma, row.id, LEASE_SECONDS)
    if (claimed) return restartUpload(deps, claimed)
    await delay(100)
    current = await findUpload(deps.db.prisma, row.id)
  }
  // Taken back: OSS refused whoever started it.
  if (!current) throw new Problem('storage-unavailable', 'The upload could not be started.')
  return current
}
