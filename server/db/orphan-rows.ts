import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'
import { type RawUpload, toUploadRow, type UploadRow, uploadColumns } from './upload-row.ts'
import type { NewUpload } from './upload-rows.ts'

/* The statements that compare `uploads` with the bucket. Keys are ordered by their bytes, in the column as at OSS. */

/** Keys below `prefix`, which ends in `/`: beyond `after`, or from the first, and up to and with `upTo`, or to the last. */
export interface KeyRange {
  prefix: string
  after: string | null
  upTo: string | null
}

/** Rows of `bucket` in `uploading`, with a multipart upload that OSS should know, by key. With `tenant` only that one's. */
export async function listUploadingRows(
  sql: Queries,
  bucket: string,
  { prefix, after, upTo }: KeyRange,
  tenant: string | null,
  limit: number,
): Promise<UploadRow[]> {
  // The character after the slash: all keys below the prefix come before it, and no other between.
  const beyond = `${prefix.slice(0, -1)}0`
  const end = upTo === null ? Prisma.sql`key < ${beyond}` : Prisma.sql`key <= ${asBound(upTo)}`
  const whose = tenant === null ? Prisma.sql`TRUE` : Prisma.sql`tenant = ${tenant}`
  const rows = await sql.$queryRaw<RawUpload[]>`
    SELECT ${uploadColumns} FROM uploads
    WHERE state = 'uploading' AND oss_upload_id IS NOT NULL AND bucket = ${bucket}
      AND key > ${asBound(after ?? prefix)} AND ${end} AND ${whose}
    ORDER BY key LIMIT ${limit}`
  return rows.map(toUploadRow)
}

/** A key of the bucket as a bound for keys of the table. In those is no NUL: Postgres keeps none in texts, and cannot be asked about one. What
 *  comes before the first NUL lies among them where the whole does: nothing sorts between the two but keys with a NUL. */
function asBound(key: string): string {
  const end = key.indexOf('\0')
  return end === -1 ? key : key.slice(0, end)
}

/** The rows of these keys in `bucket`, whatever their state, in no order. */
export async function findUploadsByKeys(sql: Queries, bucket: string, keys: readonly string[]): Promise<UploadRow[]> {
  // Postgres keeps no NUL in texts, so no row has such a key, and asking for one would fail.
  const possible = keys.filter((key) => !key.includes('\0'))
  if (possible.length === 0) return []
  const rows = await sql.$queryRaw<RawUpload[]>`
    SELECT ${uploadColumns} FROM uploads WHERE key = ANY (${possible}::text[]) AND bucket = ${bucket}`
  return rows.map(toUploadRow)
}

export interface AdoptedUpload extends Omit<NewUpload, 'metadata' | 'fingerprint'> {
  ossUploadId: string
  storedBytes: number
  /** When the last credentials for the key end, or did. */
  credentialsEndAt: Date | null
}

/**
 * A row for a multipart upload that had none, looked at by OSS just now. Null when the key has one, of whatever bucket. Its activity begins
 * here: nobody knows when a part came last, so it is swept no sooner than a new one. OSS is next asked about it in a day.
 */
export async function insertAdoptedUpload(sql: Queries, upload: AdoptedUpload): Promise<UploadRow | null> {
  const [row] = await sql.$queryRaw<RawUpload[]>`
    INSERT INTO uploads (id, tenant, subject, state, due_at, file_name, content_type, size_bytes, part_size_bytes, bucket, region, key,
      oss_upload_id, stored_bytes, reconciled_at, adopted_at, grants_alive_until, credentials_alive_until)
    VALUES (${upload.id}, ${upload.tenant}, ${upload.subject}, 'uploading', now() + interval '1 day', ${upload.fileName},
      ${upload.contentType}, ${upload.sizeBytes}::bigint, ${upload.partSizeBytes}::bigint, ${upload.bucket}, ${upload.region},
      ${upload.key}, ${upload.ossUploadId}, ${upload.storedBytes}::bigint, now(), now(),
      ${upload.credentialsEndAt}::timestamptz, ${upload.credentialsEndAt}::timestamptz)
    ON CONFLICT (key) DO NOTHING RETURNING ${uploadColumns}`
  return row ? toUploadRow(row) : null
}

/** A tenant that ever had an upload here, by the first 32 hex digits of its name's SHA-256. Null: none. */
export async function findTenantByHash(sql: Queries, hash: string): Promise<string | null> {
  const [row] = await sql.$queryRaw<{ tenant: string }[]>`
    SELECT tenant FROM tenant_usage WHERE left(encode(sha256(convert_to(tenant, 'UTF8')), 'hex'), 32) = ${hash} LIMIT 1`
  return row?.tenant ?? null
}
