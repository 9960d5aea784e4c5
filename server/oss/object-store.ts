import type { CallbackResult, UploadCallback } from '@partway/client/contract'
import { Problem } from '../problem.ts'

/** A part as ListParts tells it. `etag` is upper-case hex without quotes; `crc64` is null where the service reports none. */
export interface ListedPart {
  partNumber: number
  sizeBytes: number
  etag: string
  crc64: string | null
  /** As OSS wrote it. Only compared, never computed with. */
  lastModified: string
}

/** What HeadObject tells of an object. */
export interface ObjectFacts {
  sizeBytes: number
  etag: string
  crc64: string | null
  /** x-oss-meta-partway-upload: whose object this is. */
  uploadTag: string | null
}

/** A multipart upload that is neither completed nor aborted, as ListMultipartUploads tells it. */
export interface ListedUpload {
  key: string
  ossUploadId: string
  /** By the clock of OSS. */
  initiatedAt: Date
}

/** How far a list of multipart uploads was read: up to and with this one, or with a null id all of this key. */
export interface UploadPosition {
  key: string
  ossUploadId: string | null
}

/** What an object is created with. */
export interface ObjectAttributes {
  contentType: string
  contentDisposition: string
  /** Sent as x-oss-meta-*: names without that prefix. */
  metadata: Readonly<Record<string, string>>
}

export interface PresignedPart {
  url: string
  headers: Record<string, string>
}

/** Signs URLs of one upload's parts that all live until `expiresAt`. */
export interface PartPresigner {
  expiresAt: Date
  presign(part: { partNumber: number; sizeBytes: number; md5?: string | undefined }): PresignedPart
}

/** What is known after CompleteMultipartUpload was sent. Only `done` says that the object exists; the rest leaves HeadObject to decide.
 *  `callback`: what came of the one that was asked for. `etag` null: OSS did not say. */
export type CompleteOutcome =
  | { outcome: 'done'; etag: string | null; crc64: string | null; callback: CallbackResult | null }
  /** The id is unknown: aborted, or completed by somebody, perhaps by us. */
  | { outcome: 'upload-gone' }
  /** Forbid-overwrite met an object under the key, perhaps ours. */
  | { outcome: 'key-exists' }
  /** A part vanished or changed between ListParts and Complete. Nothing was committed. */
  | { outcome: 'part-changed' }
  /** It certainly had no effect: never sent, or refused for a reason that is not the upload's. */
  | { outcome: 'refused'; cause: StorageProblem }
  /** No reply that can be believed. The object may exist now, or later. */
  | { outcome: 'unknown'; cause: unknown }

/**
 * Where objects are kept: the operations Partway needs, and what may be relied on.
 *
 * - Every method but `completeUpload` and `putEmptyObject` throws {@link StorageProblem} when it has no answer that can be believed; reads and aborts
 *   are tried a few times first. A 403 is a StorageProblem too: it never means "absent".
 * - Every call ends within a bounded time, so that a lease outlives it.
 * - `key` is always an object's key without the bucket.
 */
export interface ObjectStore {
  readonly bucket: string
  readonly region: string
  /** Starts a multipart upload and returns its id. Not idempotent: each call makes another id. */
  initiateUpload(key: string, attributes: ObjectAttributes): Promise<string>
  /** The ids of all unfinished multipart uploads of exactly this key, oldest first. */
  findUploads(key: string): Promise<string[]>
  /** One page of all unfinished multipart uploads whose keys begin with `prefix`: by the bytes of their keys, then by id; those beyond
   *  `after`, or from the first, at most `limit` ≤ 1000. `next` is the `after` of the next page, null when there is none. */
  listUploads(
    prefix: string,
    page: { after: UploadPosition | null; limit: number },
  ): Promise<{ uploads: ListedUpload[]; next: UploadPosition | null }>
  /** One page of parts with numbers above `after`, ascending, at most `limit` ≤ 1000; null when OSS does not know the id. */
  listParts(
    key: string,
    ossUploadId: string,
    page: { after: number; limit: number },
  ): Promise<{ parts: ListedPart[]; nextAfter: number | null } | null>
  /** Joins the parts. `parts` ascending by number. OSS sends `callback` when it has done so. Never throws for what the service answers. */
  completeUpload(
    key: string,
    ossUploadId: string,
    parts: readonly Pick<ListedPart, 'partNumber' | 'etag'>[],
    callback?: UploadCallback | null,
  ): Promise<CompleteOutcome>
  /** Discards the parts stored so far. `gone` when OSS no longer knows the id; parts in flight may still land after `aborted`. */
  abortUpload(key: string, ossUploadId: string): Promise<'aborted' | 'gone'>
  /** Null when there is no object. */
  headObject(key: string): Promise<ObjectFacts | null>
  /** Writes an object of no bytes: what an upload of an empty file ends with. Outcomes as in `completeUpload`. */
  putEmptyObject(key: string, attributes: ObjectAttributes, callback?: UploadCallback | null): Promise<CompleteOutcome>
  /** Deletes the object; done as well when there is none. */
  deleteObject(key: string): Promise<void>
  /** Prepares presigned UploadPart URLs of one upload. Makes no call to the service; throws `credentials-unavailable`. */
  presignParts(key: string, ossUploadId: string, ttlSeconds: number): Promise<PartPresigner>
  /** The longest life, in seconds, that a URL signed now may promise. */
  maxGrantSeconds(): Promise<number>
  /** Asks the service something cheap. Resolves when it answered with the rights Partway needs. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** Object storage gave no answer that can be believed. `maybeApplied` is false only when the call certainly had no effect. */
export class StorageProblem extends Problem {
  readonly maybeApplied: boolean

  /** `isFinal`: asking again cannot help, so the caller is not told to. */
  constructor(detail: string, options: { cause: unknown; maybeApplied: boolean; isFinal?: boolean }) {
    super(options.isFinal ? 'internal' : 'storage-unavailable', detail, options)
    this.maybeApplied = options.maybeApplied
  }
}
