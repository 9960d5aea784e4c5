import type { CallbackSettings } from './callback/send-callback.ts'
import type { Bucket } from './files/bucket-files.ts'
import type { Store } from './files/store.ts'
import { noSuchBucket } from './oss-error.ts'
import type { OssRequest } from './oss-request.ts'
import type { RequestBody } from './request-body.ts'
import { renderXml, type XmlElement } from './xml.ts'

/** What a verb answers. A stream's length stands in `Content-Length`. */
export interface OssReply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | AsyncIterable<Uint8Array>
}

/** One right that a request needs. No bucket = the service itself; no key = the bucket. */
export interface Permission {
  readonly action: string
  readonly bucket: string | null
  readonly key: string | null
}

/** What a verb may use. `now` is the cloud's clock at the moment the request came in. */
export interface VerbContext {
  readonly store: Store
  readonly region: string
  readonly accountId: string
  readonly now: Date
  readonly body: RequestBody
  readonly callbacks: CallbackSettings
  /** Throws AccessDenied unless the caller has the right too; for rights that stand in the body. */
  readonly demand: (permission: Permission) => void
  /** Has `task` run when the answer is out or has failed. */
  readonly atEnd: (task: () => Promise<void>) => void
}

/** One OSS operation, named as OSS names it. */
export interface Verb {
  readonly name: string
  /** Answered without a signature. */
  readonly isPublic?: true
  /** The rights it needs, known from target and headers alone. */
  permissions(request: OssRequest): Permission[]
  answer(context: VerbContext, request: OssRequest): Promise<OssReply>
}

/** The right to do `action` on the object, or where there is none, the bucket of the request. */
export function permissionOn(request: OssRequest, action: string): Permission {
  return { action, bucket: request.bucket, key: request.key }
}

/** The bucket of the request. Throws NoSuchBucket. */
export function getBucket(context: VerbContext, request: OssRequest): Bucket {
  const bucket = context.store.buckets.find(request.bucket ?? '')
  if (!bucket) throw noSuchBucket(request.bucket ?? '')
  return bucket
}

/** The bucket and key of a request to an object; routing has made sure there are both. Throws NoSuchBucket. */
export function getObjectTarget(context: VerbContext, request: OssRequest): { bucket: string; key: string } {
  return { bucket: getBucket(context, request).name, key: request.key ?? '' }
}

export function xmlReply(root: XmlElement, headers: Record<string, string> = {}, namespace?: string): OssReply {
  return { status: 200, headers: { 'Content-Type': 'application/xml', ...headers }, body: renderXml(root, namespace) }
}

/** ISO 8601 with milliseconds, as OSS writes instants in XML. */
export function isoInstant(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

/** ETags travel in quotes and upper case. */
export function quotedEtag(hex: string): string {
  return `"${hex.toUpperCase()}"`
}
