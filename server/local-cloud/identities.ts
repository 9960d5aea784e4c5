import { timingSafeEqual } from 'node:crypto'
import { OssError } from './oss-error.ts'
import { parsePolicy, type RamPolicy } from './ram-policy.ts'
import type { SecurityTokens } from './security-token.ts'

export interface AccessKey {
  readonly accessKeyId: string
  readonly accessKeySecret: string
}

/** A RAM user with the policies attached to it (JSON text or document). */
export interface UserOption extends AccessKey {
  readonly userName: string
  readonly policy: RamPolicy | string
}

/** A RAM role: what it may do, and who may assume it. */
export interface RoleOption {
  /** `acs:ram::<account>:role/<name>` */
  readonly arn: string
  readonly policy: RamPolicy | string
  /** 900 to 43200; default 3600. */
  readonly maxSessionSeconds?: number
  /** User names, user or role ARNs, or `acs:ram::<account>:root` for everybody of that account. */
  readonly trusted: readonly string[]
}

/** Who signed. Every policy of `policies` must allow what is asked: one for a user, role and session policy for a session, none
 *  for the root key, which may do everything. */
export interface Identity {
  readonly kind: 'root' | 'user' | 'session'
  readonly accessKeyId: string
  readonly arn: string
  readonly policies: readonly RamPolicy[]
}

export interface SignerKey {
  readonly identity: Identity
  readonly accessKeySecret: string
}

export interface Role extends RoleOption {
  readonly policy: RamPolicy
  readonly maxSessionSeconds: number
}

/** Every key and role the cloud knows; sessions are read from their tokens. */
export interface Identities {
  readonly accountId: string
  readonly keys: ReadonlyMap<string, SignerKey>
  readonly roles: ReadonlyMap<string, Role>
  readonly tokens: SecurityTokens
}

export function createIdentities(options: {
  accountId: string
  rootKey: AccessKey
  users: readonly UserOption[]
  roles: readonly RoleOption[]
  tokens: SecurityTokens
}): Identities {
  const { accountId, rootKey } = options
  const keys = new Map<string, SignerKey>()
  for (const user of options.users) {
    const arn = `acs:ram::${accountId}:user/${user.userName}`
    const policies = [parsePolicy(user.policy)]
    const identity: Identity = { kind: 'user', accessKeyId: user.accessKeyId, arn, policies }
    keys.set(user.accessKeyId, { identity, accessKeySecret: user.accessKeySecret })
  }
  const root: Identity = {
    kind: 'root',
    accessKeyId: rootKey.accessKeyId,
    arn: `acs:ram::${accountId}:root`,
    policies: [],
  }
  keys.set(rootKey.accessKeyId, { identity: root, accessKeySecret: rootKey.accessKeySecret })
  const roles = new Map(
    options.roles.map((role) => {
      const { maxSessionSeconds = 3600 } = role
      return [role.arn, { ...role, maxSessionSeconds, policy: parsePolicy(role.policy) }]
    }),
  )
  return { accountId, keys, roles, tokens: options.tokens }
}

/** The key behind an id, and for temporary keys the session behind the token. In the service's documented order: id known, token
 *  belongs to it, token alive. Throws OssError 403. */
export function findSignerKey(
  identities: Identities,
  accessKeyId: string,
  securityToken: string | undefined,
  now: Date,
): SignerKey {
  if (!accessKeyId.startsWith('STS.')) {
    const key = identities.keys.get(accessKeyId)
    if (!key) throw invalidAccessKeyId(accessKeyId, '0002-00000902')
    if (securityToken !== undefined) throw invalidAccessKeyId(accessKeyId, '0002-00000002')
    return key
  }
  const accessKeySecret = identities.tokens.secretOf(accessKeyId)
  if (accessKeySecret === null) throw invalidAccessKeyId(accessKeyId, '0002-00000002')
  if (securityToken === undefined) throw invalidAccessKeyId(accessKeyId)
  const session = identities.tokens.open(securityToken)
  if (session === null) throw invalidToken('0002-00000006')
  if (session.accessKeyId !== accessKeyId) throw invalidToken('0002-00000004')
  if (session.expiresAt <= now.getTime()) {
    throw new OssError(403, 'SecurityTokenExpired', 'The security token you provided has expired.', {
      ec: '0002-00000007',
    })
  }
  const role = identities.roles.get(session.roleArn)
  if (!role) throw invalidAccessKeyId(accessKeyId, '0002-00000002')
  const policies = session.policy === null ? [role.policy] : [role.policy, parsePolicy(session.policy)]
  const arn = `${session.roleArn}/${session.sessionName}`
  return { identity: { kind: 'session', accessKeyId, arn, policies }, accessKeySecret }
}

/** Compares without telling by its time how much was right. */
export function isSameText(left: string, right: string): boolean {
  const a = Buffer.from(left)
  const b = Buffer.from(right)
  return a.length === b.length && timingSafeEqual(a, b)
}

function invalidAccessKeyId(accessKeyId: string, ec?: string): OssError {
  const message = 'The OSS Access Key Id you provided does not exist in our records.'
  return new OssError(403, 'InvalidAccessKeyId', message, {
    ...(ec === undefined ? {} : { ec }),
    elements: [['OSSAccessKeyId', accessKeyId]],
  })
}

function invalidToken(ec: string): OssError {
  return new OssError(403, 'InvalidSecurityToken', 'The security token you provided is invalid.', { ec })
}
