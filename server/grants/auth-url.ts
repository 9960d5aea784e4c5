import { createHash, randomBytes } from 'node:crypto'
import { type AuthUrl, type EndpointInput, type Endpoints, endpoints } from '@partway/client/contract'
import { deleteAuthUrl, insertAuthUrl } from '../db/auth-url-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { assertNotSuspended } from './assert-not-suspended.ts'
import { assertUnlimited } from './direct-credentials.ts'
import { requireIssuer } from './vend-credentials.ts'

/** A URL that stands for the caller towards mobile SDKs, which fetch credentials from it and can send no header. Of its token, 256
 *  random bits, only the hash is kept. */
export async function createAuthUrl(
  deps: Deps,
  principal: Principal,
  { reachedAt }: Pick<RequestContext, 'reachedAt'>,
): Promise<Answer<AuthUrl>> {
  assertUnlimited(principal)
  requireIssuer(deps)
  await assertNotSuspended(deps, principal.tenant)
  const id = `aur_${randomBytes(16).toString('hex')}`
  const token = randomBytes(32).toString('base64url')
  const { authUrlTtlSeconds } = deps.config.sts
  const expiresAt = await insertAuthUrl(deps.db.prisma, id, authTokenHash(token), principal, authUrlTtlSeconds)
  const url = `${deps.config.http.publicUrl ?? reachedAt}${endpoints.askAuthServer.path}?token=${token}`
  return { status: 201, body: { id, url, expiresAt: expiresAt.toISOString() } }
}

/** Makes one of the caller's auth URLs worthless from the next request on. Credentials fetched from it before live to their end. */
export async function revokeAuthUrl(
  deps: Deps,
  principal: Principal,
  { params }: EndpointInput<Endpoints['revokeAuthUrl']>,
): Promise<Answer<{ id: string }>> {
  await deleteAuthUrl(deps.db.prisma, params.id, principal)
  return { status: 200, body: { id: params.id } }
}

/** What is stored of an auth URL's token. Random bits need no salt. */
export function authTokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
