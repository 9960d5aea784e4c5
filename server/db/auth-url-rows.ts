import type { Queries } from './client.ts'

/* Every statement on `auth_urls`. Times are the database's. */

export interface AuthUrlOwner {
  tenant: string
  subject: string
}

/** Stores an auth URL under the hash of its token. Returns when it expires. */
export async function insertAuthUrl(
  sql: Queries,
  id: string,
  tokenHash: string,
  owner: AuthUrlOwner,
  ttlSeconds: number,
): Promise<Date> {
  const [row] = await sql.$queryRaw<{ expiresAt: Date }[]>`
    INSERT INTO auth_urls (id, token_hash, tenant, subject, expires_at)
    VALUES (${id}, ${tokenHash}, ${owner.tenant}, ${owner.subject}, now() + make_interval(secs => ${ttlSeconds}::double precision))
    RETURNING expires_at AS "expiresAt"`
  if (!row) throw new Error('an insert returned no row')
  return row.expiresAt
}

/** Whose URL this is, while it is valid. */
export async function findAuthUrlOwner(sql: Queries, tokenHash: string): Promise<AuthUrlOwner | null> {
  const [owner] = await sql.$queryRaw<AuthUrlOwner[]>`
    SELECT tenant, subject FROM auth_urls WHERE token_hash = ${tokenHash} AND expires_at > now()`
  return owner ?? null
}

/** Makes a URL of this owner worthless; nothing happens to anybody else's. */
export async function deleteAuthUrl(sql: Queries, id: string, owner: AuthUrlOwner): Promise<void> {
  await sql.$executeRaw`DELETE FROM auth_urls WHERE id = ${id} AND tenant = ${owner.tenant} AND subject = ${owner.subject}`
}

/** Forgets URLs that have expired, at most `limit` of them. Returns how many. */
export function forgetAuthUrls(sql: Queries, limit: number): Promise<number> {
  return sql.$executeRaw`
    DELETE FROM auth_urls WHERE id IN (SELECT id FROM auth_urls WHERE expires_at <= now() ORDER BY expires_at LIMIT ${limit})`
}
