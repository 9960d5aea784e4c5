/**
 * The RAM policies an operator attaches, as values: what the README prints, and what the local cloud runs the server under.
 * An action stands here only because some call in server/oss needs it. Actions: OSS "RAM Policy overview".
 */
export interface RamPolicyDocument {
  Version: '1'
  Statement: readonly { Effect: 'Allow'; Action: readonly string[]; Resource: readonly string[] }[]
}

/**
 * What a holder of vended credentials may do: send parts, see which are stored, give up. `oss:PutObject` is UploadPart, and unavoidably
 * also Initiate, Complete and PutObject on the same key: RAM knows no narrower right.
 */
export const clientActions = ['oss:PutObject', 'oss:ListParts', 'oss:AbortMultipartUpload'] as const

/** The ARN of objects of a bucket, in any region and of any owner, which RAM's grammar wants as `*`. */
export function objectArn(bucket: string, keyPattern: string): string {
  return `acs:oss:*:*:${bucket}/${keyPattern}`
}

/** What the server itself may do in `bucket`, under `keyPrefix` (which ends in `/`); with `roleArn` also assume the role it vends. */
export function serverPolicy({
  bucket,
  keyPrefix,
  roleArn,
}: {
  bucket: string
  keyPrefix: string
  roleArn?: string | null
}): RamPolicyDocument {
  return {
    Version: '1',
    Statement: [
      {
        Effect: 'Allow',
        Action: [
          // Initiate, presigned UploadPart, Complete, and Put for empty files.
          'oss:PutObject',
          'oss:ListParts',
          'oss:AbortMultipartUpload',
          // HeadObject: is the object there, and is it ours?
          'oss:GetObject',
          // Only for an object of ours that turned out damaged.
          'oss:DeleteObject',
        ],
        Resource: [objectArn(bucket, `${keyPrefix}*`)],
      },
      // After a crash: which multipart uploads of this key exist? A right on the bucket: never give it to clients.
      { Effect: 'Allow', Action: ['oss:ListMultipartUploads'], Resource: [`acs:oss:*:*:${bucket}`] },
      // Only to look: is there a lifecycle rule for forgotten uploads, is the bucket versioned? Without them nobody is warned.
      {
        Effect: 'Allow',
        Action: ['oss:GetBucketLifecycle', 'oss:GetBucketInfo'],
        Resource: [`acs:oss:*:*:${bucket}`],
      },
      ...(roleArn ? [{ Effect: 'Allow' as const, Action: ['sts:AssumeRole'], Resource: [roleArn] }] : []),
    ],
  }
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
    Statement: [
      { Effect: 'Allow', Action: clientActions, Resource: prefixes.map((prefix) => objectArn(bucket, `${prefix}*`)) },
    ],
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
