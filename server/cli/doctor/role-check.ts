import type { Config } from '../../config.ts'
import { grantPolicyText } from '../../grants/grant-policy.ts'
import { sessionName } from '../../grants/session-name.ts'
import { createAliyunObjectStore } from '../../oss/aliyun-object-store.ts'
import { isLackOfRight } from '../../oss/bucket-settings.ts'
import { staticCredentials } from '../../oss/credential-source.ts'
import type { ObjectStore } from '../../oss/object-store.ts'
import { type CredentialIssuer, IssuerProblem } from '../../sts/credential-issuer.ts'
import { StsError } from '../../sts/sts-error.ts'
import { type Finding, failed, ok, skipped } from './finding.ts'
import { doctorKey } from './rights-check.ts'

/**
 * Has credentials for one object made, as clients get them, and tries them: on that object, where they must be good for the three things a
 * client does, and beside it, where they must be good for nothing.
 */
export async function checkRole(config: Config, sts: CredentialIssuer | null): Promise<Finding> {
  if (sts === null) return skipped('STS_ROLE_ARN is not set: no credentials are vended, and presigned mode needs none')
  const key = doctorKey(config)
  const policy = grantPolicyText({ kind: 'object', bucket: config.oss.bucket, key })
  const name = sessionName('partway', 'doctor')
  let made: Awaited<ReturnType<CredentialIssuer['assumeRole']>>
  try {
    made = await sts.assumeRole({ sessionName: name, policy, ttlSeconds: config.sts.ttlSeconds })
  } catch (error) {
    return failed(explainRefusal(error, config))
  }
  const { accessKeyId, accessKeySecret, securityToken } = made
  const vended = createAliyunObjectStore({
    ...config.oss,
    credentials: staticCredentials({ accessKeyId, accessKeySecret, securityToken }),
    signContentLength: config.uploads.signContentLength,
    forbidOverwrite: true,
    now: () => new Date(),
  })
  try {
    return await tryScope(config, vended, key)
  } finally {
    await vended.close()
  }
}

async function tryScope({ oss, sts, uploads }: Config, vended: ObjectStore, key: string): Promise<Finding> {
  const attributes = { contentType: 'application/octet-stream', contentDisposition: 'attachment', metadata: {} }
  const none = '0'.repeat(32)
  const lacking = await denied([
    ['oss:ListParts', () => vended.listParts(key, none, { after: 0, limit: 1 })],
    ['oss:AbortMultipartUpload', () => vended.abortUpload(key, none)],
    ['oss:PutObject', async () => vended.abortUpload(key, await vended.initiateUpload(key, attributes))],
  ])
  if (lacking.length > 0) return failed(`the role ${sts.roleArn} lacks ${lacking.join(', ')} on ${uploads.keyPrefix}*`)
  const beside: [string, () => Promise<unknown>][] = [
    ['a neighbour', () => vended.listParts(`${key}x`, none, { after: 0, limit: 1 })],
    ['a shorter key', () => vended.listParts(key.slice(0, -1), none, { after: 0, limit: 1 })],
    ['a key that ends like it', () => vended.listParts(`doctor/:${oss.bucket}/${key}`, none, { after: 0, limit: 1 })],
    ['reading the object', () => vended.headObject(key)],
    ['the uploads of the bucket', () => vended.ping()],
  ]
  const closed = await denied(beside)
  const open = beside.map(([what]) => what).filter((what) => !closed.includes(what))
  if (open.length > 0) return failed(`vended credentials reach further than their object: ${open.join(', ')}`)
  return ok(`${sts.roleArn} can be assumed; what it vends is good for one object and nothing beside it`)
}

/** The names of what is refused for want of a right. Throws what is no such answer. */
async function denied(attempts: readonly [string, () => Promise<unknown>][]): Promise<string[]> {
  const refused: string[] = []
  for (const [name, attempt] of attempts) {
    try {
      await attempt()
    } catch (error) {
      if (!isLackOfRight(error)) throw error
      refused.push(name)
    }
  }
  return refused
}

/** Codes: STS "Error codes". */
function explainRefusal(error: unknown, { sts }: Config): string {
  const code = error instanceof IssuerProblem && error.cause instanceof StsError ? error.cause.code : ''
  if (/^NoPermission/.test(code)) {
    return `the server may not assume ${sts.roleArn}: it needs sts:AssumeRole on it, must not be the account itself, and the role must trust it (${code})`
  }
  if (/^EntityNotExist/.test(code)) return `there is no role ${sts.roleArn} (${code})`
  if (/DurationSeconds/.test(code)) return `STS_TTL_SECONDS is more than the longest session of the role (${code})`
  if (/^(InvalidAccessKeyId|SignatureDoesNotMatch|IncompleteSignature)/.test(code)) {
    return `STS does not take the server's access key (${code})`
  }
  return `no credentials could be had from ${sts.endpoint}${code ? ` (${code})` : ': it cannot be reached'}`
}
