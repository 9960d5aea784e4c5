import type { CredentialGrantRecord } from '@partway/client/contract'
import type { Queries } from './client.ts'

/* Every statement on `credential_grants`: who was handed which STS credentials. */

/** What is written down of credentials before they leave. Nothing of the credentials themselves. */
export interface NewCredentialGrant {
  tenant: string
  subject: string
  /** As the session policy says it: `bucket/key`, or `bucket/prefix/*`. */
  resource: string
  sessionName: string
  ttlSeconds: number
  expiresAt: Date
  requestId: string
  stsRequestId: string
}

/**
 * Writes down credentials for an upload's object, and with them until when the object can be changed, if the upload is still open. False
 * when it is not: then they must not leave. One statement, so that a complete either comes before it or knows of the credentials.
 */
export async function recordUploadCredentials(
  sql: Queries,
  uploadId: string,
  grant: NewCredentialGrant,
): Promise<boolean> {
  const recorded = await sql.$executeRaw`
    WITH open AS (
      UPDATE uploads SET grants_alive_until = greatest(grants_alive_until, ${grant.expiresAt}::timestamptz),
        credentials_alive_until = greatest(credentials_alive_until, ${grant.expiresAt}::timestamptz)
      WHERE id = ${uploadId} AND state = 'uploading' RETURNING id)
    INSERT INTO credential_grants (kind, upload_id, tenant, subject, resource, session_name, ttl_seconds, expires_at,
      request_id, sts_request_id)
    SELECT 'upload', open.id, ${grant.tenant}, ${grant.subject}, ${grant.resource}, ${grant.sessionName},
      ${grant.ttlSeconds}::int, ${grant.expiresAt}::timestamptz, ${grant.requestId}, ${grant.stsRequestId} FROM open`
  return recorded === 1
}

/** Writes down credentials for an owner's folder. */
export async function recordDirectCredentials(
  sql: Queries,
  kind: 'direct' | 'auth-url',
  grant: NewCredentialGrant,
): Promise<void> {
  await sql.$executeRaw`
    INSERT INTO credential_grants (kind, tenant, subject, resource, session_name, ttl_seconds, expires_at, request_id,
      sts_request_id)
    VALUES (${kind}, ${grant.tenant}, ${grant.subject}, ${grant.resource}, ${grant.sessionName}, ${grant.ttlSeconds}::int,
      ${grant.expiresAt}::timestamptz, ${grant.requestId}, ${grant.stsRequestId})`
}

/**
 * When the last credentials for one of `resources` end, or did; null: none were handed out within the time these rows are kept. `readAt` is
 * the database's clock: what it is compared with.
 */
export async function findCredentialsEnd(
  sql: Queries,
  resources: readonly string[],
): Promise<{ credentialsEndAt: Date | null; readAt: Date }> {
  // One look into the index for each resource, however many credentials there were for it.
  const [row] = await sql.$queryRaw<{ credentialsEndAt: Date | null; readAt: Date }[]>`
    SELECT now() AS "readAt", (
      SELECT max((SELECT max(expires_at) FROM credential_grants WHERE resource = one))
      FROM unnest(${[...resources]}::text[]) AS one) AS "credentialsEndAt"`
  if (!row) throw new Error('a select without a table returned no row')
  return row
}

/**
 * Forgets credentials that ended more than `days` ago, among the `limit` oldest rows. Returns how many. Rows come in nearly the order in
 * which they end, so looking at the oldest by their id finds them, without an index that every grant would have to pay for.
 */
export function forgetCredentialGrants(sql: Queries, days: number, limit: number): Promise<number> {
  return sql.$executeRaw`
    DELETE FROM credential_grants WHERE expires_at < now() - make_interval(days => ${days}::int)
      AND id IN (SELECT id FROM credential_grants ORDER BY id LIMIT ${limit})`
}

/** A set of credentials that was handed out for one upload. */
export type GrantOfUpload = Omit<CredentialGrantRecord, 'createdAt' | 'expiresAt'> & {
  createdAt: Date
  expiresAt: Date
}

/** The credentials handed out for one upload, newest first. */
export function findGrantsOfUpload(sql: Queries, uploadId: string, limit: number): Promise<GrantOfUpload[]> {
  return sql.$queryRaw<GrantOfUpload[]>`
    SELECT subject, resource, session_name AS "sessionName", ttl_seconds AS "ttlSeconds", created_at AS "createdAt",
      expires_at AS "expiresAt", request_id AS "requestId"
    FROM credential_grants WHERE upload_id = ${uploadId} ORDER BY id DESC LIMIT ${limit}`
}
