import type { AbortReason, UploadState } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'
import { freshLease, type HeldRow, isHeld, nextLease, nextLookAt, seconds } from './lease.ts'
import { type RawUpload, toUploadRow, type UploadRow, uploadColumns } from './upload-row.ts'

export type { HeldRow } from './lease.ts'

/* Every statement on `uploads`, but for the looks at open ones in look-rows.ts. States move by conditional update: null or false means that somebody else was there first, which is
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
  > {}

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
      part_size_bytes, bucket, region, key)
    VALUES (${upload.id}, ${upload.tenant}, ${upload.subject}, ${isEmpty ? 'uploading' : 'pending'},
      ${isEmpty ? nextLookAt : Prisma.sql`now() + ${seconds(leaseSeconds)}`},
      ${upload.fileName}, ${upload.contentType}, ${JSON.stringify(upload.metadata)}::jsonb, ${upload.fingerprint},
      ${upload.sizeBytes}::bigint, ${upload.partSizeBytes}::bigint, ${upload.bucket}, ${upload.region}, ${upload.key})
    RETURNING ${uploadColumns}`)
  if (!row) throw new Error('an insert returned no row')
  return row
}

export function findUpload(sql: Queries, id: string, reach?: RowReach): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`SELECT ${uploadColumns} FROM uploads WHERE id = ${id} AND ${within(reach)}`)
}

/** Those of some uploads that are there, and with a tenant only its own; in no particular order. */
export async function findUploadsById(
  sql: Queries,
  ids: readonly string[],
  tenant: string | null,
): Promise<UploadRow[]> {
  const reach = tenant === null ? undefined : { tenant, subject: null }
  const rows = await sql.$queryRaw<RawUpload[]>`
    SELECT ${uploadColumns} FROM uploads WHERE id = ANY (${[...ids]}::text[]) AND ${within(reach)}`
  return rows.map(toUploadRow)
}

/** The upload whose object is to have this key: keys are unique. */
export function findUploadByKey(sql: Queries, bucket: string, key: string): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    SELECT ${uploadColumns} FROM uploads WHERE key = ${key} AND bucket = ${bucket}`)
}

function within(reach: RowReach | undefined): Prisma.Sql {
  if (!reach) return Prisma.sql`TRUE`
  const tenant = Prisma.sql`tenant = ${reach.tenant}`
  return reach.subject === null ? tenant : Prisma.sql`${tenant} AND subject = ${reach.subject}`
}

/** Takes up the newest upload of this owner and file that can still be finished: that counts as activity, so the sweep leaves it alone. */
export function takeUpOpenUpload(
  sql: Queries,
  owner: { tenant: string; subject: string },
  file: { fingerprint: string; sizeBytes: number; bucket: string },
  ttlSeconds: number,
): Promise<UploadRow | null> {
  const open = Prisma.sql`state IN ('pending', 'uploading', 'completing') AND created_at > now() - ${seconds(ttlSeconds)}`
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET last_activity_at = now()
    WHERE ${open} AND id = (
      SELECT id FROM uploads
      WHERE tenant = ${owner.tenant} AND subject = ${owner.subject} AND bucket = ${file.bucket}
        AND fingerprint = ${file.fingerprint} AND size_bytes = ${file.sizeBytes}::bigint AND ${open}
      ORDER BY created_at DESC, id DESC LIMIT 1)
    RETURNING ${uploadColumns}`)
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
    UPDATE uploads SET state = 'uploading', oss_upload_id = ${ossUploadId}, due_at = ${nextLookAt}, attempts = 0
    WHERE id = ${id} AND state = 'pending' RETURNING ${uploadColumns}`)
}

/** Takes back a create that certainly had no effect at OSS. */
export async function removePending(sql: Queries, id: string): Promise<void> {
  await sql.$executeRaw`DELETE FROM uploads WHERE id = ${id} AND state = 'pending'`
}

/** Records, before anything is signed, until when a grant may be used: what the sweep goes by. `parts`: how many part URLs it is; none
 *  for credentials. Null unless the upload is `uploading` and its tenant may be given something new. */
export function extendGrants(
  sql: Queries,
  id: string,
  { ttlSeconds, parts }: { ttlSeconds: number; parts: number },
): Promise<UploadRow | null> {
  const counted = Prisma.sql`granted_parts = granted_parts + ${parts}::int, last_granted_at = now(),`
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET ${parts > 0 ? counted : Prisma.empty}
      last_activity_at = now(), grants_alive_until = greatest(grants_alive_until, now() + ${seconds(ttlSeconds)})
    WHERE id = ${id} AND state = 'uploading'
      AND NOT EXISTS (SELECT FROM tenants WHERE tenants.tenant = uploads.tenant AND suspended_at IS NOT NULL)
    RETURNING ${uploadColumns}`)
}

/** uploading → completing, under a lease: one caller wins. `claimedCrc64` is kept with the intent, so that whoever finishes it checks it.
 *  `isLost`: OSS does not know the upload, and somebody else may have completed it, whose object is to be waited for. */
export function beginCompleting(
  sql: Queries,
  id: string,
  claimedCrc64: string | null,
  leaseSeconds: number,
  isLost = false,
): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'completing', ${freshLease(leaseSeconds)}, last_activity_at = now(),
      claimed_crc64 = ${claimedCrc64}, expected_crc64 = NULL, complete_sent_at = NULL,
      lost_at = ${isLost ? Prisma.sql`now()` : Prisma.sql`NULL`}
    WHERE id = ${id} AND state = 'uploading' RETURNING ${uploadColumns}`)
}

/** completing → uploading: nothing was committed, and the client has parts to send. */
export function returnToUploading(sql: Queries, held: HeldRow): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'uploading', due_at = ${nextLookAt}, attempts = 0,
      complete_sent_at = NULL, lost_at = NULL, claimed_crc64 = NULL, expected_crc64 = NULL
    WHERE ${isHeld(held)} AND state = 'completing' RETURNING ${uploadColumns}`)
}

/** Writes down, right before Complete is sent, that it is and what the object must turn out to be. Null when somebody else holds the
 *  row by now: then it is theirs to send. */
export function recordCompleteSent(
  sql: Queries,
  held: HeldRow,
  expectedCrc64: string | null,
): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET complete_sent_at = coalesce(complete_sent_at, now()), expected_crc64 = ${expectedCrc64}
    WHERE ${isHeld(held)} AND state = 'completing' RETURNING ${uploadColumns}`)
}

/** completing → completed. Asks for no lease: that the object is there, and right, is true whoever saw it. With credentials alive, their
 *  holder can still change the object: it is looked at again a minute after the last ones' end. */
export function markCompleted(
  sql: Queries,
  id: string,
  object: { etag: string; crc64: string | null },
): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    WITH moved AS (
      UPDATE uploads SET state = 'completed', attempts = 0, completed_at = now(), last_activity_at = now(),
        due_at = CASE WHEN credentials_alive_until IS NOT NULL
          THEN greatest(credentials_alive_until, now()) + interval '60 seconds' END,
        etag = ${object.etag}, crc64 = ${object.crc64}, stored_bytes = size_bytes
      WHERE id = ${id} AND state = 'completing' RETURNING ${uploadColumns}
    ), parts AS (DELETE FROM upload_parts USING moved WHERE upload_id = moved.id)
    SELECT * FROM moved`)
}

/** pending or uploading → aborting because a caller asked, under a lease. */
export function beginUserAbort(sql: Queries, id: string, leaseSeconds: number): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'aborting', ${freshLease(leaseSeconds)}, abort_reason = 'user'
    WHERE id = ${id} AND state IN ('pending', 'uploading') RETURNING ${uploadColumns}`)
}

/** completing → aborting because there will be no object, under a new lease. */
export function beginGivingUp(
  sql: Queries,
  held: HeldRow,
  reason: AbortReason,
  leaseSeconds: number,
): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'aborting', ${freshLease(leaseSeconds)}, abort_reason = ${reason}
    WHERE ${isHeld(held)} AND state = 'completing' RETURNING ${uploadColumns}`)
}

/** aborting → aborted. Looked at once more when the last grant is dead, or `lookAgainSeconds` from now if that is later: a part in
 *  flight may still land. The upload's part rows go with it. */
export function markAborted(sql: Queries, id: string, lookAgainSeconds: number): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    WITH moved AS (
      UPDATE uploads SET state = 'aborted', attempts = 0, stored_bytes = 0,
        due_at = greatest(grants_alive_until, now()) + ${seconds(lookAgainSeconds)}
      WHERE id = ${id} AND state = 'aborting' RETURNING ${uploadColumns}
    ), parts AS (DELETE FROM upload_parts USING moved WHERE upload_id = moved.id)
    SELECT * FROM moved`)
}

/** Nothing more is due on an aborted row. */
export function closeAborted(sql: Queries, id: string): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET due_at = NULL WHERE id = ${id} AND state = 'aborted' RETURNING ${uploadColumns}`)
}

/** Takes a row of `bucket` that is on its way and whose lease has run out, the longest overdue, for `leaseSeconds`. Instances never take
 *  the same one. */
export function claimDueUpload(sql: Queries, bucket: string, leaseSeconds: number): Promise<UploadRow | null> {
  return claimLongestDue(sql, Prisma.sql`state IN ('pending', 'completing', 'aborting')`, bucket, leaseSeconds)
}

/** The same of rows that have ended and are due for another look. There may be many after a sweep, and nobody waits for them. */
export function claimEndedUpload(sql: Queries, bucket: string, leaseSeconds: number): Promise<UploadRow | null> {
  return claimLongestDue(sql, Prisma.sql`state IN ('completed', 'aborted')`, bucket, leaseSeconds)
}

function claimLongestDue(
  sql: Queries,
  isOfStates: Prisma.Sql,
  bucket: string,
  leaseSeconds: number,
): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET ${nextLease(leaseSeconds)}
    WHERE id = (
      SELECT id FROM uploads WHERE ${isOfStates} AND due_at <= now() AND bucket = ${bucket}
      ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING ${uploadColumns}`)
}

/** Takes one row, not in `uploading`, if its lease has run out. */
export function claimIfDue(sql: Queries, id: string, leaseSeconds: number): Promise<UploadRow | null> {
  return one(sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET ${nextLease(leaseSeconds)}
    WHERE id = ${id} AND state <> 'uploading' AND due_at <= now() RETURNING ${uploadColumns}`)
}

/** Moves the end of a lease that is still the caller's: further away while it works, nearer to have the row looked at again soon. */
export async function setDue(sql: Queries, held: HeldRow, state: UploadState, inSeconds: number): Promise<void> {
  await sql.$executeRaw`
    UPDATE uploads SET due_at = now() + ${seconds(inSeconds)}
    WHERE ${isHeld(held)} AND state = ${state} AND due_at IS NOT NULL`
}
