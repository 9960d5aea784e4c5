import type { NewCredentialGrant } from '../db/credential-rows.ts'
import type { Deps, RequestContext } from '../deps.ts'
import { Problem } from '../problem.ts'
import type { CredentialIssuer, TemporaryCredentials } from '../sts/credential-issuer.ts'
import { type GrantScope, grantPolicyText } from './grant-policy.ts'
import { sessionName } from './session-name.ts'

/** Credentials, and what must be written down before they leave. */
export interface VendedCredentials {
  credentials: TemporaryCredentials
  audit: NewCredentialGrant
}

/** The issuer. Throws `credentials-disabled` when STS_ROLE_ARN names no role. */
export function requireIssuer(deps: Pick<Deps, 'sts'>): CredentialIssuer {
  if (!deps.sts) throw new Problem('credentials-disabled', 'STS_ROLE_ARN is not set.')
  return deps.sts
}

/** Credentials that allow exactly `scope`, in the owner's name. Throws `credentials-disabled` or `credentials-unavailable`. */
export async function vendCredentials(
  deps: Pick<Deps, 'sts' | 'config' | 'now'>,
  owner: { tenant: string; subject: string },
  scope: GrantScope,
  { requestId }: Pick<RequestContext, 'requestId'>,
): Promise<VendedCredentials> {
  const request = {
    sessionName: sessionName(owner.tenant, owner.subject),
    policy: grantPolicyText(scope),
    ttlSeconds: deps.config.sts.ttlSeconds,
  }
  const credentials = await requireIssuer(deps).assumeRole(request)
  const { expiresAt } = credentials
  return {
    credentials,
    audit: {
      tenant: owner.tenant,
      subject: owner.subject,
      resource: scope.kind === 'object' ? `${scope.bucket}/${scope.key}` : `${scope.bucket}/${scope.prefix}*`,
      sessionName: request.sessionName,
      ttlSeconds: Math.floor((expiresAt.getTime() - deps.now().getTime()) / 1000),
      expiresAt,
      requestId,
      stsRequestId: credentials.requestId,
    },
  }
}

/** What every reply with credentials says: the three secrets, their end, and where to use them. */
export function credentialFields({ config }: Pick<Deps, 'config'>, credentials: TemporaryCredentials) {
  const { bucket, region, publicEndpoint, publicAddressing } = config.oss
  const { accessKeyId, accessKeySecret, securityToken, expiresAt } = credentials
  return {
    accessKeyId,
    accessKeySecret,
    securityToken,
    expiresAt: expiresAt.toISOString(),
    bucket,
    region,
    endpoint: publicEndpoint,
    addressing: publicAddressing,
  }
}
