import type { Queries } from './client.ts'

/* Every statement on `idempotency_keys`. */

export interface KeyOwner {
  tenant: string
  subject: string
}

/** What a create with this key answered with less than 24 hours ago. */
export async function findIdempotencyKey(
  sql: Queries,
  { tenant, subject }: KeyOwner,
  key: string,
): Promise<{ uploadId: string; hash: string } | null> {
  const [known] = await sql.$queryRaw<{ uploadId: string; hash: string }[]>`
    SELECT upload_id AS "uploadId", hash FROM idempotency_keys
    WHERE tenant = ${tenant} AND subject = ${subject} AND key = ${key} AND created_at > now() - interval '24 hours'`
  return known ?? null
}

/** Remembers the answer to a create, in place of an older one whose time is over. */
export async function saveIdempotencyKey(
  sql: Queries,
  { tenant, subject }: KeyOwner,
  key: string,
  answer: { uploadId: string; hash: string },
): Promise<void> {
  await sql.$executeRaw`
    INSERT INTO idempotency_keys (tenant, subject, key, hash, upload_id)
    VALUES (${tenant}, ${subject}, ${key}, ${answer.hash}, ${answer.uploadId})
    ON CONFLICT (tenant, subject, key)
      DO UPDATE SET hash = excluded.hash, upload_id = excluded.upload_id, created_at = now()`
}

/** Forgets keys whose 24 hours are over, at most `limit` of them. Returns how many. */
export function forgetIdempotencyKeys(sql: Queries, limit: number): Promise<number> {
  return sql.$executeRaw`
    DELETE FROM idempotency_keys WHERE (tenant, subject, key) IN (
      SELECT tenant, subject, key FROM idempotency_keys WHERE created_at <= now() - interval '24 hours'
      ORDER BY created_at LIMIT ${limit})`
}
