import { actionsOf, directActionsOfServer } from './cloud-operations.ts'

/**
 * The RAM policies an operator attaches, as values: what the README prints, and what the local cloud runs the server under. Their actions
 * are those of the operations in cloud-operations.ts, and no others.
 */
export interface RamPolicyDocument {
  Version: '1'
  Statement: readonly { Effect: 'Allow' | 'Deny'; Action: readonly string[]; Resource: readonly string[] }[]
}

/**
 * What a holder of vended credentials may do: send parts, see which are stored, give up. `oss:PutObject` is UploadPart, and unavoidably
 * also Initiate, Complete and PutObject on the same key: RAM knows no narrower right.
 */
export const clientActions = actionsOf('vended', 'object')

/** The ARN of objects of a bucket, in any region and of any owner, which RAM's grammar wants as `*`. */
export function objectArn(bucket: string, keyPattern: string): string {
  return `acs:oss:*:*:${bucket}/${keyPattern}`
}

/**
 * ARNs that {@link objectArn} also matches if RAM lets a `*` reach over colons, which its documentation leaves open: keys, in whatever bucket,
 * in which `:bucket/` stands behind a slash. No key of Partway's is such a one.
 */
export function strayArn(bucket: string): string {
  return `acs:oss:*:*:*/*:${bucket}/*`
}

/**
 * What the server itself may do in `bucket`, under `keyPrefix` (which ends in `/`); with `roleArn` also assume the role it vends, and see and
 * discard below `directPrefix` what was begun there with direct credentials.
 */
export function serverPolicy({
  bucket,
  keyPrefix,
  roleArn,
  directPrefix = null,
}: {
  bucket: string
  keyPrefix: string
  roleArn?: string | null
  directPrefix?: string | null
}): RamPolicyDocument {
  const bucketArn = `acs:oss:*:*:${bucket}`
  return {
    Version: '1',
    Statement: [
      allow(actionsOf('server', 'object'), objectArn(bucket, `${keyPrefix}*`)),
      allow(actionsOf('server', 'bucket', 'uploads'), bucketArn),
      // Only to look: without them nobody is warned of what is missing there.
      allow(actionsOf('server', 'bucket', 'warnings'), bucketArn),
      // Optional: without it, PUT /v1/admin/lifecycle is refused.
      allow(actionsOf('server', 'bucket', 'fixes'), bucketArn),
      ...(roleArn ? [allow(actionsOf('server', 'role'), roleArn)] : []),
      ...(roleArn && directPrefix ? [allow(directActionsOfServer(), objectArn(bucket, `${directPrefix}*`))] : []),
    ],
  }
}

/** What `doctor --fix` may do besides: for whoever runs it, and not for the server. */
export function fixPolicy({ bucket }: { bucket: string }): RamPolicyDocument {
  return { Version: '1', Statement: [allow(actionsOf('doctor --fix', 'bucket'), `acs:oss:*:*:${bucket}`)] }
}

function allow(actions: readonly string[], ...resources: string[]) {
  return { Effect: 'Allow' as const, Action: actions, Resource: resources }
}

/**
 * What the role for vended credentials may do at most; each set of credentials is narrowed further, to one object, or with `directPrefix`
 * (which ends in `/`) to one subject's objects below it.
 */
export function uploaderRolePolicy({
  bucket,
  keyPrefix,
  directPrefix = null,
}: {
  bucket: string
  keyPrefix: string
  directPrefix?: string | null
}): RamPolicyDocument {
  const prefixes = directPrefix === null ? [keyPrefix] : [keyPrefix, directPrefix]
  return {
    Version: '1',
    Statement: [allow(clientActions, ...prefixes.map((prefix) => objectArn(bucket, `${prefix}*`)))],
  }
}

/** Who may assume the uploader role: the server's RAM user, and nobody else. */
export function trustPolicy({ accountId, userName }: { accountId: string; userName: string }) {
  return {
    Version: '1',
    Statement: [
      { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { RAM: [`acs:ram::${accountId}:user/${userName}`] } },
    ],
  } as const
}
