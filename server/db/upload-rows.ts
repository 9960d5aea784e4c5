import type { AbortReason, UploadState } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'
import { type RawUpload, toUploadRow, type UploadRow, uploadColumns } from './upload-row.ts'

/* Every statement on `uploads`. States move by conditional update: null or false means that somebody else was there first, which is
 * an answer and not an error. Times are the database's. */

/** Rows of a tenant, or with a subject only that one's. */
export interface RowReach {
  tenant: string
  subject: string | null
}

export interface NewUpload
  extends Pick<
    UploadRow,
    | 'id'
    | 'tenant'
    | 'subject'
    | 'fileName'
    | 'contentType'
    | 'metadata'
    | 'fingerprint'
    | 'sizeBytes'
    | 'partSizeBytes'
    | 'bucket'
    | 'region'
    | 'key'
    | 'idempotencyKey'
    | 'idempotencyHash'
  > {}

const seconds = (count: number) => Prisma.sql`make_interval(secs => ${count}::double precision)`

async function one(rows: Promise<RawUpload[]>): Promise<UploadRow | null> {
  const [row] = await rows
  return row ? toUploadRow(row) : null
}

/** Makes callers that would create or find the same upload wait for each other until the transaction ends. */
export async function lockName(sql: Queries, name: string): Promise<void> {
  await sql.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${name}, 0))`
}

/** A new row: `pending` under a lease, or `uploading` at once for an empty file, which has no multipart upload. */
export async function insertUpload(sql: Queries, upload: NewUpload, leaseSeconds: number): Promise<UploadRow> {
  const isEmpty = upload.sizeBytes === 0
  const row = await one(sql.$queryRaw<RawUpload[]>`
    INSERT INTO uploads (id, tenant, subject, state, due_at, file_name, content_type, metadata, fingerprint, size_bytes,
      part_size_bytes, bucket, region, key, idempotency_key, idempotency_hash)
    VALUES (${upload.id}, ${upload.tenant}, ${upload.subject}, ${isEmpty ? 'uploading' : 'pending'},
      ${isEmpty ? Prisma.sql`NULL` : Prisma.sql`now() + ${seconds(leaseSeconds)}`},
      ${upload.fileName}, ${upload.contentType}, ${JSON.stringify(upload.metadata)}::jsonb, ${upload.fingerprint},
      ${upload.sizeBytes}::bigint, ${upload.partSizeBytes}::bigint, ${upload.bucket}, ${upload.region}, ${upload.key},
      ${upload.idempotencyKey}, ${upload.idempotencyHash})
    RETURNING ${uploadColumns}`)
  if (!row) throw new Error('an insert returned no row')
  return row
}

export function findUpload(sql: Queries, id: string, reach?: RowReach): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`SELECT ${uploadColumns} FROM uploads WHERE id = ${id} AND ${within(reach)}`)
}

function within(reach: RowReach | undefined): Prisma.Sql {
  if (!reach) return Prisma.sql`TRUE`
  const tenant = Prisma.sql`tenant = ${reach.tenant}`
  return reach.subject === null ? tenant : Prisma.sql`${tenant} AND subject = ${reach.subject}`
}

/** The newest upload of this owner and file that can still be finished. */
export function findOpenUpload(
  sql: Queries,
  owner: { tenant: string; subject: string },
  file: { fingerprint: string; sizeBytes: number },
  ttlSeconds: number,
): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    SELECT ${uploadColumns} FROM uploads
    WHERE tenant = ${owner.tenant} AND subject = ${owner.subject}
      AND fingerprint = ${file.fingerprint} AND size_bytes = ${file.sizeBytes}::bigint
      AND state IN ('pending', 'uploading', 'completing') AND created_at > now() - ${seconds(ttlSeconds)}
    ORDER BY created_at DESC, id DESC LIMIT 1`)
}

/** The upload created with this key less than `validSeconds` ago. An older one gives the key up. */
export async function findByIdempotencyKey(
  sql: Queries,
  owner: { tenant: string; subject: string },
  key: string,
  validSeconds: number,
): Promise<UploadRow | null> {
  await sql.$executeRaw`
    UPDATE uploads SET idempotency_key = NULL, idempotency_hash = NULL
    WHERE tenant = ${owner.tenant} AND subject = ${owner.subject} AND idempotency_key = ${key}
      AND created_at <= now() - ${seconds(validSeconds)}`
  return one(sql.$queryRaw<RawUpload[]>`
    SELECT ${uploadColumns} FROM uploads
    WHERE tenant = ${owner.tenant} AND subject = ${owner.subject} AND idempotency_key = ${key}`)
}

/** Newest first, beginning after `after`. */
export async function listUploadRows(
  sql: Queries,
  reach: RowReach,
  filter: { state?: UploadState | undefined; fingerprint?: string | undefined },
  page: { after: { createdAt: Date; id: string } | null; limit: number },
): Promise<UploadRow[]> {
  const conditions = [within(reach)]
  if (filter.state !== undefined) conditions.push(Prisma.sql`state = ${filter.state}`)
  if (filter.fingerprint !== undefined) conditions.push(Prisma.sql`fingerprint = ${filter.fingerprint}`)
  if (page.after)
    conditions.push(Prisma.sql`(created_at, id) < (${page.after.createdAt}::timestamptz, ${page.after.id})`)
  const rows = await sql.$queryRaw<RawUpload[]>`
    SELECT ${uploadColumns} FROM uploads WHERE ${Prisma.join(conditions, ' AND ')}
    ORDER BY created_at DESC, id DESC LIMIT ${page.limit}`
  return rows.map(toUploadRow)
}

/** pending → uploading. Null when the row has left `pending`: then the caller's multipart upload is one too many. */
export function markUploading(sql: Queries, id: string, ossUploadId: string): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'uploading', oss_upload_id = ${ossUploadId}, due_at = NULL, attempts = 0
    WHERE id = ${id} AND state = 'pending' RETURNING ${uploadColumns}`)
}

/** Takes back a create that certainly had no effect at OSS. */
export async function removePending(sql: Queries, id: string): Promise<void> {
  await sql.$executeRaw`DELETE FROM uploads WHERE id = ${id} AND state = 'pending'`
}

/** Records, before anything is signed, until when a grant may be used: what the sweep goes by. Null unless `uploading`. */
export function extendGrants(sql: Queries, id: string, ttlSeconds: number): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET last_activity_at = now(), grants_alive_until = greatest(grants_alive_until, now() + ${seconds(ttlSeconds)})
    WHERE id = ${id} AND state = 'uploading' RETURNING ${uploadColumns}`)
}

/** uploading → completing, under a lease: one caller wins. */
export function beginCompleting(sql: Queries, id: string, leaseSeconds: number): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'completing', due_at = now() + ${seconds(leaseSeconds)}, attempts = 0,
      last_activity_at = now(), complete_sent_at = NULL, expected_crc64 = NULL
    WHERE id = ${id} AND state = 'uploading' RETURNING ${uploadColumns}`)
}

/** completing → uploading: nothing was committed, and the client has parts to send. */
export function returnToUploading(sql: Queries, id: string): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'uploading', due_at = NULL, attempts = 0, complete_sent_at = NULL, expected_crc64 = NULL
    WHERE id = ${id} AND state = 'completing' RETURNING ${uploadColumns}`)
}

/** Writes down, right before Complete is sent, that it is and what the object must turn out to be. Null when the row has left
 *  `completing`. */
export function recordCompleteSent(sql: Queries, id: string, expectedCrc64: string | null): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET complete_sent_at = coalesce(complete_sent_at, now()), expected_crc64 = ${expectedCrc64}
    WHERE id = ${id} AND state = 'completing' RETURNING ${uploadColumns}`)
}

/** completing → completed. The upload's part rows go with it. */
export function markCompleted(
  sql: Queries,
  id: string,
  object: { etag: string; crc64: string | null },
): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    WITH parts AS (DELETE FROM upload_parts WHERE upload_id = ${id})
    UPDATE uploads SET state = 'completed', due_at = NULL, attempts = 0, completed_at = now(), last_activity_at = now(),
      etag = ${object.etag}, crc64 = ${object.crc64}, stored_bytes = size_bytes
    WHERE id = ${id} AND state = 'completing' RETURNING ${uploadColumns}`)
}

/** One of `from` → aborting, under a lease. */
export function beginAborting(
  sql: Queries,
  id: string,
  from: readonly UploadState[],
  reason: AbortReason,
  leaseSeconds: number,
): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'aborting', due_at = now() + ${seconds(leaseSeconds)}, attempts = 0, abort_reason = ${reason}
    WHERE id = ${id} AND state IN (${Prisma.join(from)}) RETURNING ${uploadColumns}`)
}

/** uploading → aborting for having expired. The row lock decides the race with a grant: none may be alive. */
export function beginExpiring(
  sql: Queries,
  id: string,
  life: { ttlSeconds: number; staleAfterSeconds: number },
  leaseSeconds: number,
): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'aborting', due_at = now() + ${seconds(leaseSeconds)}, attempts = 0, abort_reason = 'expired'
    WHERE id = ${id} AND ${isExpired(life)} RETURNING ${uploadColumns}`)
}

/** Uploads whose life is over, longest idle first. */
export async function findExpired(
  sql: Queries,
  life: { ttlSeconds: number; staleAfterSeconds: number },
  limit: number,
): Promise<UploadRow[]> {
  const rows = await sql.$queryRaw<RawUpload[]>`
    SELECT ${uploadColumns} FROM uploads WHERE ${isExpired(life)} ORDER BY last_activity_at LIMIT ${limit}`
  return rows.map(toUploadRow)
}

function isExpired(life: { ttlSeconds: number; staleAfterSeconds: number }): Prisma.Sql {
  return Prisma.sql`state = 'uploading' AND coalesce(grants_alive_until < now(), TRUE)
    AND (last_activity_at < now() - ${seconds(life.staleAfterSeconds)} OR created_at < now() - ${seconds(life.ttlSeconds)})`
}

/** aborting → aborted. Looked at once more when the last grant is dead, or `lookAgainSeconds` from now if that is later: a part in
 *  flight may still land. The upload's part rows go with it. */
export function markAborted(sql: Queries, id: string, lookAgainSeconds: number): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    WITH parts AS (DELETE FROM upload_parts WHERE upload_id = ${id})
    UPDATE uploads SET state = 'aborted', attempts = 0, stored_bytes = 0,
      due_at = greatest(grants_alive_until, now()) + ${seconds(lookAgainSeconds)}
    WHERE id = ${id} AND state = 'aborting' RETURNING ${uploadColumns}`)
}

/** Nothing more is due on an aborted row. */
export async function closeAborted(sql: Queries, id: string): Promise<void> {
  await sql.$executeRaw`UPDATE uploads SET due_at = NULL WHERE id = ${id} AND state = 'aborted'`
}

/** Takes up to `limit` rows whose lease has run out, for `leaseSeconds`. Instances never take the same row. */
export async function claimDueUploads(sql: Queries, limit: number, leaseSeconds: number): Promise<UploadRow[]> {
  const rows = await sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET due_at = now() + ${seconds(leaseSeconds)}, attempts = attempts + 1
    WHERE id IN (SELECT id FROM uploads WHERE due_at <= now() ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)
    RETURNING ${uploadColumns}`
  return rows.map(toUploadRow)
}

/** Takes one row if its lease has run out. */
export function claimIfDue(sql: Queries, id: string, leaseSeconds: number): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET due_at = now() + ${seconds(leaseSeconds)}, attempts = attempts + 1
    WHERE id = ${id} AND due_at <= now() RETURNING ${uploadColumns}`)
}

/** Moves the end of a lease: further away while its holder works, nearer to have the row looked at again soon. */
export async function setDue(sql: Queries, id: string, state: UploadState, inSeconds: number): Promise<void> {
  await sql.$executeRaw`
    UPDATE uploads SET due_at = now() + ${seconds(inSeconds)} WHERE id = ${id} AND state = ${state} AND due_at IS NOT NULL`
}
