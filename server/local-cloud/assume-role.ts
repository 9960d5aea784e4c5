import type { Identities, Identity, Role } from './identities.ts'
import { evaluatePolicies, parsePolicy } from './ram-policy.ts'
import { missingParameter, StsError, wronglyFormed } from './sts-error.ts'
import type { RpcParams } from './sts-signature.ts'

const MIN_SECONDS = 900
const DEFAULT_SECONDS = 3600
const MAX_POLICY_CHARACTERS = 2048

/** What AssumeRole answers, beside the request id. */
export interface AssumedRole {
  readonly AssumedRoleUser: { readonly Arn: string; readonly AssumedRoleId: string }
  readonly Credentials: {
    readonly AccessKeyId: string
    readonly AccessKeySecret: string
    readonly SecurityToken: string
    /** Whole seconds. */
    readonly Expiration: string
  }
}

/** Mints credentials that may do what the role and the session policy both allow. Throws StsError for parameters out of their
 *  rules, an unknown role, and a caller who may not. */
export function assumeRole(
  deps: { identities: Identities; now: Date },
  caller: Identity,
  params: RpcParams,
): AssumedRole {
  const roleArn = params.get('RoleArn')
  const sessionName = params.get('RoleSessionName')
  if (!roleArn) throw missingParameter('RoleArn')
  if (!sessionName) throw missingParameter('RoleSessionName')
  if (!/^acs:ram::\d{1,32}:role\/[\w.@/-]{1,64}$/.test(roleArn)) throw wronglyFormed('RoleArn')
  if (!/^[a-zA-Z0-9.@\-_]{2,64}$/.test(sessionName)) throw wronglyFormed('RoleSessionName')
  const externalId = params.get('ExternalId')
  if (externalId !== undefined && !/^[\w+=,.@:/-]{2,1224}$/.test(externalId)) throw wronglyFormed('ExternalId')
  const policy = readPolicy(params.get('Policy'))

  if (caller.kind === 'root') throw new StsError(403, 'NoPermission', 'Roles may not be assumed by root accounts.')
  const role = deps.identities.roles.get(roleArn)
  if (!role) throw new StsError(404, 'EntityNotExist.Role', `The role not exists: ${roleArn}.`)
  const seconds = readDuration(params.get('DurationSeconds'), role)
  const facts = new Map([['acs:CurrentTime', deps.now.toISOString()]])
  const answer = evaluatePolicies(caller.policies, { action: 'sts:AssumeRole', resource: roleArn, facts })
  if (answer !== 'allow' || !isTrusted(role, caller)) {
    const message = 'You are not authorized to do this action. You should be authorized by RAM.'
    throw new StsError(403, 'NoPermission', message)
  }

  const expiresAt = (Math.floor(deps.now.getTime() / 1000) + seconds) * 1000
  const issued = deps.identities.tokens.issue({ roleArn, sessionName, policy, expiresAt })
  return {
    AssumedRoleUser: { Arn: `${roleArn}/${sessionName}`, AssumedRoleId: `${roleId(roleArn)}:${sessionName}` },
    Credentials: {
      AccessKeyId: issued.accessKeyId,
      AccessKeySecret: issued.accessKeySecret,
      SecurityToken: issued.securityToken,
      Expiration: `${new Date(expiresAt).toISOString().slice(0, 19)}Z`,
    },
  }
}

function readPolicy(text: string | undefined): string | null {
  if (text === undefined || text === '') return null
  if (text.length > MAX_POLICY_CHARACTERS) {
    throw new StsError(400, 'InvalidParameter.PolicySize', 'The size of the parameter Policy is too large.')
  }
  try {
    parsePolicy(text)
  } catch {
    throw new StsError(400, 'InvalidParameter.PolicyGrammar', 'The parameter Policy has not passed grammar check.')
  }
  return text
}

function readDuration(text: string | undefined, role: Role): number {
  if (text === undefined || text === '') return Math.min(DEFAULT_SECONDS, role.maxSessionSeconds)
  const seconds = Number(text)
  if (/^\d{1,6}$/.test(text) && seconds >= MIN_SECONDS && seconds <= role.maxSessionSeconds) return seconds
  const longest = role.maxSessionSeconds / 3600
  const message = `The Min/Max value of DurationSeconds is 15min/${longest}hr.`
  throw new StsError(400, 'InvalidParameter.DurationSeconds', message)
}

/** A role trusts users and roles by ARN, users by name, and an account by its root, which means all of its users and roles. */
function isTrusted(role: Role, caller: Identity): boolean {
  const arn = caller.kind === 'session' ? caller.arn.slice(0, caller.arn.lastIndexOf('/')) : caller.arn
  const account = /^acs:ram::\d+:/.exec(arn)?.[0] ?? ''
  const names = [arn, `${account}root`]
  if (caller.kind === 'user') names.push(arn.slice(arn.indexOf('/') + 1))
  return role.trusted.some((trusted) => names.includes(trusted))
}

/** A number per role that stays the same, as the service has. */
function roleId(roleArn: string): string {
  let id = 0n
  for (const byte of Buffer.from(roleArn)) id = (id * 131n + BigInt(byte)) % 10n ** 18n
  return id.toString().padStart(18, '3')
}
