import type { OpenObject } from '../files/object-files.ts'
import { invalidArgument, noSuchBucket, noSuchKey, OssError } from '../oss-error.ts'
import { checkedKey, type OssRequest } from '../oss-request.ts'
import { checkedBucket } from '../resolve-bucket.ts'
import type { Permission, VerbContext } from '../verb.ts'
import { conditionFailure } from './conditions.ts'

/** What `x-oss-copy-source: /bucket/encoded-key` names. Throws InvalidArgument when it names nothing. */
export function readCopySource(request: OssRequest): { bucket: string; key: string } {
  const text = request.headers['x-oss-copy-source'] ?? ''
  const match = /^\/?([^/?]+)\/([^?]+)(?:\?versionId=[^&]*)?$/.exec(text)
  try {
    if (match) return { bucket: checkedBucket(match[1] ?? ''), key: checkedKey(decodeURIComponent(match[2] ?? '')) }
  } catch {
    // Said below: what exactly is wrong with the name makes no difference to the caller.
  }
  throw invalidArgument(
    'Copy Source must mention the source bucket and key: sourcebucket/sourcekey.',
    'x-oss-copy-source',
    text.slice(0, 200),
  )
}

/** Reading the source is a right of its own. */
export function sourcePermission(request: OssRequest): Permission {
  return { action: 'oss:GetObject', ...readCopySource(request) }
}

/** Opens the source of a copy, to be released at the end of the request. Throws NoSuchBucket, NoSuchKey, and PreconditionFailed
 *  for the `x-oss-copy-source-if-…` headers. */
export async function openCopySource(context: VerbContext, request: OssRequest): Promise<OpenObject> {
  const { bucket, key } = readCopySource(request)
  if (!context.store.buckets.find(bucket)) throw noSuchBucket(bucket)
  const source = await context.store.objects.open(bucket, key)
  if (!source) throw noSuchKey(key)
  context.atEnd(source.release)
  const failure = conditionFailure(request.headers, source.manifest, 'x-oss-copy-source-')
  if (failure instanceof OssError) throw failure
  return source
}
