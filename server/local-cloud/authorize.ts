import type { Identity } from './identities.ts'
import { OssError } from './oss-error.ts'
import type { OssRequest } from './oss-request.ts'
import { evaluatePolicies } from './ram-policy.ts'
import type { Permission } from './verb.ts'

export interface AuthorizeDeps {
  readonly region: string
  readonly accountId: string
  readonly now: Date
}

/** Throws AccessDenied unless the caller may do all of `permissions`. Every bucket is private: nobody may do anything unsigned. */
export function authorize(
  deps: AuthorizeDeps,
  request: OssRequest,
  identity: Identity | null,
  permissions: readonly Permission[],
): void {
  if (identity === null) {
    throw new OssError(403, 'AccessDenied', 'You have no right to access this object because of bucket acl.', {
      ec: '0003-00000001',
    })
  }
  const facts = requestFacts(deps, request, identity)
  for (const permission of permissions) {
    const answer = evaluatePolicies(identity.policies, {
      action: permission.action,
      resource: resourceOf(deps, permission),
      facts,
    })
    if (answer !== 'allow') throw denied(identity, permission.action, answer === 'explicit-deny')
  }
}

/** `acs:oss:<region>:<account>:<bucket>/<key>`; a bucket has no slash, the service is `*`. */
function resourceOf({ region, accountId }: AuthorizeDeps, { bucket, key }: Permission): string {
  const place = bucket === null ? '*' : key === null ? bucket : `${bucket}/${key}`
  return `acs:oss:oss-${region}:${accountId}:${place}`
}

function requestFacts(deps: AuthorizeDeps, request: OssRequest, identity: Identity): Map<string, string> {
  const facts = new Map([
    ['acs:SourceIp', request.sourceIp],
    ['acs:SecureTransport', String(request.secure)],
    ['acs:CurrentTime', deps.now.toISOString()],
    ['acs:AccessId', identity.accessKeyId],
  ])
  const userAgent = request.headers['user-agent']
  if (userAgent !== undefined) facts.set('acs:UserAgent', userAgent)
  for (const [fact, param] of [
    ['oss:Prefix', 'prefix'],
    ['oss:Delimiter', 'delimiter'],
  ] as const) {
    const value = request.params.get(param)
    if (value !== undefined) facts.set(fact, value)
  }
  return facts
}

function denied(identity: Identity, action: string, isExplicit: boolean): OssError {
  const isSession = identity.kind === 'session'
  const message = isSession
    ? "Access denied by authorizer's policy."
    : 'You have no right to access this object because of bucket acl.'
  return new OssError(403, 'AccessDenied', message, {
    ec: isExplicit ? '0003-00000201' : '0003-00000001',
    elements: [
      [
        'AccessDeniedDetail',
        [
          ['AuthAction', action],
          ['AuthPrincipalType', isSession ? 'AssumedRoleUser' : 'SubUser'],
          ['AuthPrincipalOwnerId', /^acs:ram::(\d+):/.exec(identity.arn)?.[1] ?? ''],
          ['AuthPrincipalDisplayName', identity.arn.slice(identity.arn.indexOf('/') + 1)],
          ['PolicyType', 'AccountLevelIdentityBasedPolicy'],
          ['NoPermissionType', isExplicit ? 'ExplicitDeny' : 'ImplicitDeny'],
        ],
      ],
    ],
  })
}
