import { createHash } from 'node:crypto'
import type { EndpointInput, Endpoints, TenantLimits } from '@partway/client/contract'
import { DEFAULT_PART_BYTES, planParts } from '@partway/client/contract'
import { insertCallback } from '../db/callback-rows.ts'
import type { Queries } from '../db/client.ts'
import { findIdempotencyKey, saveIdempotencyKey } from '../db/idempotency-keys.ts'
import { lockUsage } from '../db/tenant-usage-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import { findUpload, insertUpload, lockName, type NewUpload, takeUpOpenUpload } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { isLimited } from '../tenant-limits.ts'
import { assertPlanned } from './grant-parts.ts'
import { objectKey } from './object-key.ts'
import { randomName } from './start-upload.ts'
import { LEASE_SECONDS } from './upload-state.ts'
import { assertWithinLimits } from './within-limits.ts'

type Input = EndpointInput<Endpoints['createUpload']>

const defaultContentType = 'application/octet-stream'

/** The upload a create is about, and how it came by it. */
export type FoundUpload = { row: UploadRow; how: 'new' | 'resumed' | 'repeated' }

/**
 * The upload that a create means: the one its Idempotency-Key answered with before, or with `resume` the owner's open one of the same
 * file, or a new row. One transaction, in which callers after the same upload wait for each other: one row comes of it.
 * Only a new row is held against the tenant's limits. Throws `invalid-request` for parts the plan does not have,
 * `idempotency-key-reused`, and what {@link assertWithinLimits} throws; then nothing was written, and nothing counted.
 */
export async function findOrInsertUpload(
  deps: Deps,
  principal: Principal,
  { body, headers }: Input,
  limits: TenantLimits,
): Promise<FoundUpload> {
  const upload = newUpload(deps, principal, body)
  assertPlanned(upload, body.parts ?? [])
  const key = headers['idempotency-key']
  if (key === undefined) return resumeOrInsert(deps, upload, body, limits)
  const hash = hashOf(body)
  return deps.db.transaction(async (sql): Promise<FoundUpload> => {
    await lockName(sql, JSON.stringify(['idempotency', upload.tenant, upload.subject, key]))
    const known = await findIdempotencyKey(sql, upload, key)
    if (known) {
      if (known.hash !== hash) throw new Problem('idempotency-key-reused')
      return { row: await getRow(sql, known.uploadId), how: 'repeated' }
    }
    const found = await resumeOrInsertIn(deps, sql, upload, body, limits)
    await saveIdempotencyKey(sql, upload, key, { uploadId: found.row.id, hash })
    return found
  })
}

function resumeOrInsert(
  deps: Deps,
  upload: NewUpload,
  body: Input['body'],
  limits: TenantLimits,
): Promise<FoundUpload> {
  const isAlone = !(body.resume && body.fingerprint)
  // Nobody else can be after the same upload, and without a callback and limits one statement does.
  if (isAlone && !body.callback && !isLimited(limits)) {
    return resumeOrInsertIn(deps, deps.db.prisma, upload, body, limits)
  }
  return deps.db.transaction((sql) => resumeOrInsertIn(deps, sql, upload, body, limits))
}

async function resumeOrInsertIn(
  deps: Deps,
  sql: Queries,
  upload: NewUpload,
  body: Input['body'],
  limits: TenantLimits,
): Promise<FoundUpload> {
  if (body.resume && body.fingerprint) {
    const { tenant, subject, bucket } = upload
    const file = { fingerprint: body.fingerprint, sizeBytes: body.sizeBytes, bucket }
    await lockName(sql, JSON.stringify(['file', tenant, subject, file.fingerprint, file.sizeBytes]))
    const open = await takeUpOpenUpload(sql, upload, file, deps.config.uploads.ttlSeconds)
    if (open) return { row: open, how: 'resumed' }
  }
  // The count is locked as late as can be: every other create of this tenant waits for the rest of this transaction.
  if (isLimited(limits)) assertWithinLimits(limits, await lockUsage(sql, upload.tenant), upload.sizeBytes)
  const row = await insertUpload(sql, upload, LEASE_SECONDS)
  if (body.callback) await insertCallback(sql, row.id, body.callback)
  return { row, how: 'new' }
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
