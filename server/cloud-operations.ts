/* Every request the product makes of OSS and STS, the RAM right it takes, and who sends it. The RAM policies and the table in the README are
 * made from this, and no call can name an operation that does not stand here. Actions: OSS "RAM Policy overview", STS "AssumeRole". */

/** Whose right it is. `server`: what it sends itself, and what clients send by URLs it signed. `vended`: holders of vended credentials.
 *  `doctor --fix`: whoever runs that. */
export type Sender = 'server' | 'vended' | 'doctor --fix'

export interface CloudOperationUse {
  action: `oss:${string}` | `sts:${string}`
  /** What the right is on: objects, the bucket itself, or the role whose credentials are vended. */
  on: 'object' | 'bucket' | 'role'
  senders: readonly Sender[]
  /** What cannot be without it; `warnings`: uploads can, but nobody is told of settings that are missing; `fixes`: only mending these. */
  need: 'uploads' | 'warnings' | 'credentials' | 'fixes'
  /** The server sends it below DIRECT_PREFIX, too, where others upload with direct credentials. */
  isDirectToo?: true
  /** For the README: what it is sent for. */
  why: string
}

export const cloudOperations = {
  InitiateMultipartUpload: {
    action: 'oss:PutObject',
    on: 'object',
    senders: ['server'],
    need: 'uploads',
    why: 'start an upload',
  },
  UploadPart: {
    action: 'oss:PutObject',
    on: 'object',
    senders: ['server', 'vended'],
    need: 'uploads',
    why: 'send a part: clients, by URLs that the server signs or with vended credentials',
  },
  CompleteMultipartUpload: {
    action: 'oss:PutObject',
    on: 'object',
    senders: ['server'],
    need: 'uploads',
    why: 'join the parts',
  },
  PutObject: {
    action: 'oss:PutObject',
    on: 'object',
    senders: ['server'],
    need: 'uploads',
    why: 'store an empty file',
  },
  ListParts: {
    action: 'oss:ListParts',
    on: 'object',
    senders: ['server', 'vended'],
    need: 'uploads',
    isDirectToo: true,
    why: 'see which parts are stored; of direct uploads: how many bytes they hold',
  },
  AbortMultipartUpload: {
    action: 'oss:AbortMultipartUpload',
    on: 'object',
    senders: ['server', 'vended'],
    need: 'uploads',
    isDirectToo: true,
    why: 'give up and discard the parts; of direct uploads: when an administrator says so',
  },
  HeadObject: {
    action: 'oss:GetObject',
    on: 'object',
    senders: ['server'],
    need: 'uploads',
    why: 'is the object there, and is it ours?',
  },
  DeleteObject: {
    action: 'oss:DeleteObject',
    on: 'object',
    senders: ['server'],
    need: 'uploads',
    why: 'remove an object of ours that turned out damaged, and nothing else',
  },
  // A right on the bucket: never give it to clients.
  ListMultipartUploads: {
    action: 'oss:ListMultipartUploads',
    on: 'bucket',
    senders: ['server'],
    need: 'uploads',
    why: 'after a crash: which uploads of this key exist? For administrators: which does nobody know? And is OSS there (`/readyz`)?',
  },
  GetBucketLifecycle: {
    action: 'oss:GetBucketLifecycle',
    on: 'bucket',
    senders: ['server', 'doctor --fix'],
    need: 'warnings',
    why: 'look for the rule that ends forgotten uploads',
  },
  GetBucketInfo: {
    action: 'oss:GetBucketInfo',
    on: 'bucket',
    senders: ['server'],
    need: 'warnings',
    why: 'does the bucket keep versions? (`partway doctor`)',
  },
  AssumeRole: {
    action: 'sts:AssumeRole',
    on: 'role',
    senders: ['server'],
    need: 'credentials',
    why: 'have credentials made for one object or folder',
  },
  PutBucketLifecycle: {
    action: 'oss:PutBucketLifecycle',
    on: 'bucket',
    senders: ['server', 'doctor --fix'],
    need: 'fixes',
    why: 'add the rule that is missing; the server: when an administrator of all tenants says so, and it can be without',
  },
  GetBucketCors: {
    action: 'oss:GetBucketCors',
    on: 'bucket',
    senders: ['doctor --fix'],
    need: 'fixes',
    why: 'read the rules, to keep them',
  },
  PutBucketCors: {
    action: 'oss:PutBucketCors',
    on: 'bucket',
    senders: ['doctor --fix'],
    need: 'fixes',
    why: 'add the rule that is missing',
  },
} as const satisfies Record<string, CloudOperationUse>

export type CloudOperation = keyof typeof cloudOperations

type OfService<Service extends string> = {
  [Name in CloudOperation]: (typeof cloudOperations)[Name]['action'] extends `${Service}:${string}` ? Name : never
}[CloudOperation]
/** What may be asked of OSS, as OSS names it. */
export type OssOperation = OfService<'oss'>
/** What may be asked of STS. */
export type StsOperation = OfService<'sts'>

/** The actions the server needs below DIRECT_PREFIX, in the order of the table. */
export function directActionsOfServer(): readonly string[] {
  const uses: CloudOperationUse[] = Object.values(cloudOperations)
  return uses.filter((use) => use.isDirectToo).map((use) => use.action)
}

/** The actions a sender needs on one kind of resource, each once, in the order of the table; with `need`, those for that alone. */
export function actionsOf(
  sender: Sender,
  on: CloudOperationUse['on'],
  need?: CloudOperationUse['need'],
): readonly string[] {
  const uses: CloudOperationUse[] = Object.values(cloudOperations)
  const fitting = uses.filter(
    (use) => use.senders.includes(sender) && use.on === on && (need === undefined || use.need === need),
  )
  return [...new Set(fitting.map((use) => use.action))]
}
