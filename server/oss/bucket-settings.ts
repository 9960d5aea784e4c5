import type { OssOperation } from '../cloud-operations.ts'
import { StorageProblem } from './object-store.ts'
import { OssError, type OssReply, textOf } from './oss-reply.ts'
import { createOssRequester, type OssConnection } from './oss-request.ts'

/** What GetBucketInfo tells. */
export interface BucketInfo {
  /** Null: never switched on. */
  versioning: 'Enabled' | 'Suspended' | null
  /** `oss-cn-hangzhou`. */
  location: string | null
}

/**
 * The settings of the bucket itself. All methods throw {@link StorageProblem}; whoever may not look is told by {@link isDenied}. The texts are
 * the XML documents of OSS, whole: a write replaces everything, so what is not understood must be handed back as it came.
 */
export interface BucketSettings {
  /** Needs `oss:GetBucketLifecycle`. Null: the bucket has none. */
  readLifecycle(): Promise<string | null>
  /** Needs `oss:PutBucketLifecycle`. */
  writeLifecycle(xml: string): Promise<void>
  /** Needs `oss:GetBucketCors`. Null: the bucket has none. */
  readCors(): Promise<string | null>
  /** Needs `oss:PutBucketCors`. */
  writeCors(xml: string): Promise<void>
  /** Needs `oss:GetBucketInfo`. */
  readInfo(): Promise<BucketInfo>
  close(): Promise<void>
}

export function createBucketSettings(connection: OssConnection): BucketSettings {
  const oss = createOssRequester(connection)
  const read = async (operation: OssOperation, subresource: string, absent: string) => {
    const query = { [subresource]: null }
    const reply = await oss.send({ operation, method: 'GET', query, expect: [absent], repeatable: true })
    return reply.errorCode ? null : reply.text
  }
  const write = async (operation: OssOperation, subresource: string, xml: string) => {
    await oss.send({ operation, method: 'PUT', query: { [subresource]: null }, body: xml, repeatable: true })
  }
  return {
    readLifecycle: () => read('GetBucketLifecycle', 'lifecycle', 'NoSuchLifecycle'),
    writeLifecycle: (xml) => write('PutBucketLifecycle', 'lifecycle', xml),
    readCors: () => read('GetBucketCors', 'cors', 'NoSuchCORSConfiguration'),
    writeCors: (xml) => write('PutBucketCors', 'cors', xml),
    readInfo: async () =>
      toBucketInfo(
        await oss.send({ operation: 'GetBucketInfo', method: 'GET', query: { bucketInfo: null }, repeatable: true }),
      ),
    close: () => oss.close(),
  }
}

function toBucketInfo({ xml }: Pick<OssReply, 'xml'>): BucketInfo {
  const bucket = (typeof xml.Bucket === 'object' && xml.Bucket !== null ? xml.Bucket : {}) as Record<string, unknown>
  const versioning = textOf(bucket, 'Versioning')
  return {
    versioning: versioning === 'Enabled' || versioning === 'Suspended' ? versioning : null,
    location: textOf(bucket, 'Location') ?? null,
  }
}

/** Whether OSS answered that these credentials may not do this. */
export function isDenied(error: unknown): boolean {
  return ossErrorOf(error)?.status === 403
}

/** Whether it said so for want of a right: a 403 for another reason, such as a wrong key or region, is no answer about rights. */
export function isLackOfRight(error: unknown): boolean {
  const said = ossErrorOf(error)
  // HeadObject on an old cluster says no more than its status.
  return said !== null && said.endpoint === undefined && /^(AccessDenied|Http403)$/.test(said.code)
}

/** What OSS itself said, where it said something. */
export function ossErrorOf(error: unknown): OssError | null {
  if (error instanceof OssError) return error
  return error instanceof StorageProblem && error.cause instanceof OssError ? error.cause : null
}
