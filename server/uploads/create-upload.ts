import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  DEFAULT_PART_BYTES,
  type EndpointInput,
  type Endpoints,
  type PartGrant,
  type PartRequest,
  planParts,
  type Upload,
} from '@partway/client/contract'
import type { Queries } from '../db/client.ts'
import { findIdempotencyKey, saveIdempotencyKey } from '../db/idempotency-keys.ts'
import type { UploadRow } from '../db/upload-row.ts'
import { claimIfDue, findUpload, insertUpload, lockName, type NewUpload, takeUpOpenUpload } from '../db/upload-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { assertPlanned, issueGrants } from './grant-parts.ts'
import { viewUpload } from './load-upload.ts'
import { objectKey } from './object-key.ts'
import { randomName, restartUpload, startUpload } from './start-upload.ts'
import { assertAllowed } from './upload-rules.ts'
import { LEASE_SECONDS } from './upload-state.ts'

type Input = EndpointInput<Endpoints['createUpload']>

const defaultContentType = 'application/octet-stream'
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
  const { row, how } = await findOrInsert(deps, principal, input)
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

type Found = { row: UploadRow; how: 'new' | 'resumed' | 'repeated' }

/** One transaction: callers after the same upload wait for each other, so that one row comes of it. */
async function findOrInsert(deps: Deps, principal: Principal, { body, headers }: Input): Promise<Found> {
  const upload = newUpload(deps, principal, body)
  assertPlanned(upload, body.parts ?? [])
  const key = headers['idempotency-key']
  if (key === undefined) return resumeOrInsert(deps, upload, body)
  const hash = hashOf(body)
  return deps.db.transaction(async (sql): Promise<Found> => {
    await lockName(sql, JSON.stringify(['idempotency', upload.tenant, upload.subject, key]))
    const known = await findIdempotencyKey(sql, upload, key)
    if (known) {
      if (known.hash !== hash) throw new Problem('idempotency-key-reused')
      return { row: await getRow(sql, known.uploadId), how: 'repeated' }
    }
    const found = await resumeOrInsertIn(deps, sql, upload, body)
    await saveIdempotencyKey(sql, upload, key, { uploadId: found.row.id, hash })
    return found
  })
}

function resumeOrInsert(deps: Deps, upload: NewUpload, body: Input['body']): Promise<Found> {
  const isAlone = !(body.resume && body.fingerprint)
  // Nobody else can be after the same upload: one statement does.
  if (isAlone) return resumeOrInsertIn(deps, deps.db.prisma, upload, body)
  return deps.db.transaction((sql) => resumeOrInsertIn(deps, sql, upload, body))
}

async function resumeOrInsertIn(deps: Deps, sql: Queries, upload: NewUpload, body: Input['body']): Promise<Found> {
  if (body.resume && body.fingerprint) {
    const { tenant, subject, bucket } = upload
    const file = { fingerprint: body.fingerprint, sizeBytes: body.sizeBytes, bucket }
    await lockName(sql, JSON.stringify(['file', tenant, subject, file.fingerprint, file.sizeBytes]))
    const open = await takeUpOpenUpload(sql, upload, file, deps.config.uploads.ttlSeconds)
    if (open) return { row: open, how: 'resumed' }
  }
  return { row: await insertUpload(sql, upload, LEASE_SECONDS), how: 'new' }
}

async function getRow(sql: Queries, id: string): Promise<UploadRow> {
  const row = await findUpload(sql, id)
  if (!row) throw new Problem('upload-not-found')
  return row
}

function newUpload(deps: Deps, principal: Principal, body: Input['body']): NewUpload {
  const { keyPrefix } = deps.config.uploads
  return {
    id: `upl_${randomName()}`,
    tenant: principal.tenant,
    subject: principal.subject,
    fileName: body.fileName,
    contentType: body.contentType ?? defaultContentType,
    metadata: body.metadata ?? {},
    fingerprint: body.fingerprint ?? null,
    sizeBytes: body.sizeBytes,
    partSizeBytes: planParts(body.sizeBytes, body.partSizeBytes ?? DEFAULT_PART_BYTES).partSizeBytes,
    bucket: deps.objects.bucket,
    region: deps.objects.region,
    key: objectKey(keyPrefix, principal.tenant, randomName(), body.fileName),
  }
}

/** The same for the same request, whatever the order of its fields. */
function hashOf(body: Input['body']): string {
  const sorted = (_: string, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value
  return createHash('sha256').update(JSON.stringify(body, sorted)).digest('hex')
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
