import type { DirectCredentials } from '@partway/client/contract'
import { recordDirectCredentials } from '../db/credential-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import type { TemporaryCredentials } from '../sts/credential-issuer.ts'
import { keySegment } from '../uploads/object-key.ts'
import { assertNotSuspended } from './assert-not-suspended.ts'
import { credentialFields, requireIssuer, vendCredentials } from './vend-credentials.ts'

/** STS credentials for the caller's own folder: for stock SDKs that start uploads themselves. Such uploads have no row. */
export async function grantDirectCredentials(
  deps: Deps,
  principal: Principal,
  context: Pick<RequestContext, 'requestId'>,
): Promise<Answer<DirectCredentials>> {
  assertUnlimited(principal)
  const { credentials, prefix } = await vendDirect(deps, 'direct', principal, context)
  return { status: 200, body: { ...credentialFields(deps, credentials), prefix } }
}

/** Nothing in a session policy bounds size or type, so what a token's issuer limits would not be limited. Throws `forbidden`. */
export function assertUnlimited({ limits }: Pick<Principal, 'limits'>): void {
  if (limits.maxSizeBytes !== undefined || limits.contentTypes !== undefined) {
    throw new Problem('forbidden', 'The token carries limits, which direct credentials cannot keep.')
  }
}

/** Has credentials for the folder of `owner` made, and writes down that they were. Throws `tenant-suspended`, `credentials-disabled`,
 *  `credentials-unavailable`. */
export async function vendDirect(
  deps: Deps,
  kind: 'direct' | 'auth-url',
  { tenant, subject }: { tenant: string; subject: string },
  context: Pick<RequestContext, 'requestId'>,
): Promise<{ credentials: TemporaryCredentials; prefix: string }> {
  requireIssuer(deps)
  await assertNotSuspended(deps, tenant)
  const prefix = `${deps.config.sts.directPrefix}${keySegment(tenant)}/${keySegment(subject)}/`
  const scope = { kind: 'prefix', bucket: deps.config.oss.bucket, prefix } as const
  const { credentials, audit } = await vendCredentials(deps, { tenant, subject }, scope, context)
  await recordDirectCredentials(deps.db.prisma, kind, audit)
  deps.metrics.credentialsIssued(kind)
  return { credentials, prefix }
}
