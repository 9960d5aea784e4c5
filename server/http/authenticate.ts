import type { Scope } from '@partway/client/contract'
import type { Request } from 'express'
import { EVERY_TENANT, type Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import type { VerifyToken } from './verify-token.ts'

/** The caller of a request, if its token allows `scope`. Throws `unauthenticated`, `forbidden` or `credentials-unavailable`. */
export type Authenticate = (request: Request, scope: Scope) => Promise<Principal>

/** Reads the bearer token from the Authorization header and from nowhere else: URLs and cookies end up in logs and other people's hands. */
export function createAuthenticate(verify: VerifyToken): Authenticate {
  return async (request, scope) => {
    const principal = await verify(bearerToken(request.headers.authorization))
    if (!principal.scopes.has(scope)) {
      throw new Problem('forbidden', `The token does not hold the scope ${scope}.`)
    }
    if (principal.tenant === EVERY_TENANT && scope !== 'admin') {
      throw new Problem('forbidden', 'A token for every tenant cannot act for one of them.')
    }
    return principal
  }
}

/** The token of an Authorization header. Throws `unauthenticated` when there is none. */
export function bearerToken(authorization: string | undefined): string {
  const token = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(authorization ?? '')?.[1]
  if (!token) throw new Problem('unauthenticated', 'A bearer token is needed in the Authorization header.')
  return token
}
