import { type AuthServerReply, type EndpointInput, type Endpoints, problems } from '@partway/client/contract'
import { findAuthUrlOwner } from '../db/auth-url-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import { Problem } from '../problem.ts'
import { authTokenHash } from './auth-url.ts'
import { vendDirect } from './direct-credentials.ts'

/** The credentials that an auth URL stands for, in the words Alibaba's mobile SDKs read. */
export async function askAuthServer(
  deps: Deps,
  { query }: EndpointInput<Endpoints['askAuthServer']>,
  context: Pick<RequestContext, 'requestId'>,
): Promise<Answer<AuthServerReply>> {
  const owner = query.token ? await findAuthUrlOwner(deps.db.prisma, authTokenHash(query.token)) : null
  if (!owner) throw new Problem('unauthenticated', 'The URL has expired, was revoked, or never was.')
  const { credentials } = await vendDirect(deps, 'auth-url', owner, context)
  return {
    status: 200,
    body: {
      StatusCode: 200,
      AccessKeyId: credentials.accessKeyId,
      AccessKeySecret: credentials.accessKeySecret,
      SecurityToken: credentials.securityToken,
      // Without milliseconds: the SDKs parse exactly this form.
      Expiration: `${credentials.expiresAt.toISOString().slice(0, 19)}Z`,
    },
  }
}

/** A problem in the same words. The SDKs look at nothing else: HTTP's own status must be 200, or they read no body. */
export function authServerProblem({ code, status, detail }: Problem): Answer<AuthServerReply> {
  const body = { StatusCode: status, ErrorCode: code, ErrorMessage: detail ?? problems[code].title }
  return { status: 200, body }
}
