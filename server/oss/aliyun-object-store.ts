import type { Addressing } from '@partway/client/contract'
import type { OssOperation } from '../cloud-operations.ts'
import { callbackHeaders } from './callback-headers.ts'
import type { CompleteOutcome, ListedUpload, ObjectAttributes, ObjectStore, UploadPosition } from './object-store.ts'
import { StorageProblem } from './object-store.ts'
import { bareETag, elements, toListedPart, toObjectFacts, toUploadsPage } from './oss-elements.ts'
import { headerText, isJson, type OssReply, textOf } from './oss-reply.ts'
import { createOssRequester, type OssConnection } from './oss-request.ts'
import { createPresignerV4 } from './sign-v4.ts'

export interface AliyunObjectStoreOptions extends OssConnection {
  /** What clients upload to: a CNAME or the acceleration endpoint, where the server itself uses an internal one. */
  publicEndpoint: string
  publicAddressing: Addressing
  /** Bind each part's exact length into its URL. */
  signContentLength: boolean
  /** Refuse to replace an object. */
  forbidOverwrite: boolean
  /** How long the reply to a Complete is waited for. Default 25 s: below a lease. */
  completeTimeoutMs?: number
}

// The service goes on joining parts when nobody listens any more; HeadObject tells the outcome later.
const defaultCompleteTimeoutMs = 25_000
// The default credential chain renews 15 minutes before the end, so what it returns lives that long: unless a token was set by hand, or
// renewing fails, which the chain does not tell.
const temporaryCredentialsLiveSeconds = 900
/** With 203: the object is stored, and the callback was not answered as it should be. */
const CALLBACK_FAILED = 'CallbackFailed'

/** The ObjectStore on Alibaba Cloud OSS (and on the local cloud, which speaks the same protocol). */
export function createAliyunObjectStore(options: AliyunObjectStoreOptions): ObjectStore {
  const { bucket, region } = options
  const oss = createOssRequester(options)
  const overwrite: Record<string, string> = options.forbidOverwrite ? { 'x-oss-forbid-overwrite': 'true' } : {}

  const listUploads: ObjectStore['listUploads'] = async (prefix, { after, limit }) => {
    const { xml } = await oss.send({
      operation: 'ListMultipartUploads',
      method: 'GET',
      query: {
        uploads: null,
        prefix,
        'encoding-type': 'url',
        'max-uploads': String(limit),
        ...(after ? { 'key-marker': after.key } : {}),
        ...(after && after.ossUploadId !== null ? { 'upload-id-marker': after.ossUploadId } : {}),
      },
      repeatable: true,
    })
    const page = toUploadsPage(xml)
    if (!page) throw unreadable('ListMultipartUploads')
    return page
  }

  return {
    bucket,
    region,

    async initiateUpload(key, attributes) {
      const { xml } = await oss.send({
        operation: 'InitiateMultipartUpload',
        method: 'POST',
        key,
        query: { uploads: null },
        headers: objectHeaders(attributes),
      })
      const ossUploadId = textOf(xml, 'UploadId')
      if (!ossUploadId) throw unreadable('InitiateMultipartUpload')
      return ossUploadId
    },

    async findUploads(key) {
      const all: ListedUpload[] = []
      let after: UploadPosition | null = null
      do {
        const page: Awaited<ReturnType<ObjectStore['listUploads']>> = await listUploads(key, { after, limit: 1000 })
        all.push(...page.uploads.filter((upload) => upload.key === key))
        // Keys come in order: a page that ends on a longer key has shown all of this one.
        after = page.next?.key === key ? page.next : null
      } while (after)
      return all.sort((a, b) => Number(a.initiatedAt) - Number(b.initiatedAt)).map(({ ossUploadId }) => ossUploadId)
    },

    listUploads,

    async listParts(key, ossUploadId, { after, limit }) {
      const reply = await oss.send({
        operation: 'ListParts',
        method: 'GET',
        key,
        query: { uploadId: ossUploadId, 'max-parts': String(limit), 'part-number-marker': String(after) },
        expect: ['NoSuchUpload'],
        repeatable: true,
      })
      if (reply.errorCode) return null
      const isTruncated = textOf(reply.xml, 'IsTruncated')
      if (isTruncated === undefined) throw unreadable('ListParts')
      const parts = elements(reply.xml, 'Part').map(toListedPart)
      return { parts, nextAfter: isTruncated === 'true' ? (parts.at(-1)?.partNumber ?? null) : null }
    },

    async completeUpload(key, ossUploadId, parts, callback) {
      const list = parts.map(
        (part) => `<Part><PartNumber>${part.partNumber}</PartNumber><ETag>"${part.etag}"</ETag></Part>`,
      )
      return outcomeOf(() =>
        oss.send({
          operation: 'CompleteMultipartUpload',
          method: 'POST',
          key,
          query: { uploadId: ossUploadId },
          headers: { ...overwrite, ...callbackHeaders(callback) },
          body: `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`,
          expect: [
            'NoSuchUpload',
            'FileAlreadyExists',
            'InvalidPart',
            'InvalidPartOrder',
            'EntityTooSmall',
            CALLBACK_FAILED,
          ],
          timeoutMs: options.completeTimeoutMs ?? defaultCompleteTimeoutMs,
        }),
      )
    },

    async abortUpload(key, ossUploadId) {
      const reply = await oss.send({
        operation: 'AbortMultipartUpload',
        method: 'DELETE',
        key,
        query: { uploadId: ossUploadId },
        expect: ['NoSuchUpload'],
        repeatable: true,
      })
      return reply.errorCode ? 'gone' : 'aborted'
    },

    async headObject(key) {
      const reply = await oss.send({
        operation: 'HeadObject',
        method: 'HEAD',
        key,
        expect: ['NoSuchKey'],
        repeatable: true,
      })
      return reply.errorCode ? null : toObjectFacts(reply.headers)
    },

    async putEmptyObject(key, attributes, callback) {
      return outcomeOf(() =>
        oss.send({
          operation: 'PutObject',
          method: 'PUT',
          key,
          headers: { ...objectHeaders(attributes), ...overwrite, ...callbackHeaders(callback) },
          expect: ['FileAlreadyExists', CALLBACK_FAILED],
        }),
      )
    },

    async deleteObject(key) {
      await oss.send({ operation: 'DeleteObject', method: 'DELETE', key, repeatable: true })
    },

    async presignParts(key, ossUploadId, ttlSeconds) {
      const now = options.now()
      const request = {
        method: 'PUT',
        baseUrl: options.publicEndpoint,
        addressing: options.publicAddressing,
        bucket,
        key,
        region,
        credentials: await options.credentials.get(),
        now,
        expiresSeconds: ttlSeconds,
        query: { uploadId: ossUploadId },
        ...(options.signContentLength ? { additionalHeaders: ['content-length'] } : {}),
      }
      const presignerOf = (...headers: string[]) => createPresignerV4(request, { query: ['partNumber'], headers })
      let presignPlain: ReturnType<typeof presignerOf> | undefined
      let presignWithMd5: typeof presignPlain
      // The signature's clock has whole seconds.
      const expiresAt = new Date((Math.floor(now.getTime() / 1000) + ttlSeconds) * 1000)
      return {
        expiresAt,
        presign({ partNumber, sizeBytes, md5 }) {
          const number = String(partNumber)
          const length = String(sizeBytes)
          if (md5) {
            presignWithMd5 ??= presignerOf('content-length', 'content-md5')
            return { url: presignWithMd5(number, length, md5), headers: { 'Content-MD5': md5 } }
          }
          presignPlain ??= presignerOf('content-length')
          return { url: presignPlain(number, length), headers: {} }
        },
      }
    },

    async maxGrantSeconds() {
      const { securityToken } = await options.credentials.get()
      return securityToken ? temporaryCredentialsLiveSeconds : Number.POSITIVE_INFINITY
    },

    async ping() {
      await oss.send({
        operation: 'ListMultipartUploads',
        method: 'GET',
        query: { uploads: null, 'max-uploads': '1' },
        timeoutMs: 2_000,
      })
    },

    close: () => oss.close(),
  }
}

function objectHeaders({ contentType, contentDisposition, metadata }: ObjectAttributes): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': contentType, 'content-disposition': contentDisposition }
  for (const [name, value] of Object.entries(metadata)) headers[`x-oss-meta-${name}`] = value
  return headers
}

async function outcomeOf(send: () => Promise<OssReply>): Promise<CompleteOutcome> {
  try {
    const { status, errorCode, headers, xml, text } = await send()
    const crc64 = headerText(headers, 'x-oss-hash-crc64ecma') ?? null
    const etag = bareETag(textOf(xml, 'ETag') ?? headerText(headers, 'etag'))
    if (errorCode === CALLBACK_FAILED && status === 203) {
      const callback = { status, body: textOf(xml, 'Message') ?? '' }
      return { outcome: 'done', etag: etag || null, crc64, callback }
    }
    if (errorCode === 'NoSuchUpload') return { outcome: 'upload-gone' }
    if (errorCode === 'FileAlreadyExists') return { outcome: 'key-exists' }
    if (errorCode) return { outcome: 'part-changed' }
    if (!etag) return { outcome: 'unknown', cause: unreadable('CompleteMultipartUpload') }
    // After a callback, its answer stands where the XML would.
    const callback = isJson(headers) ? { status, body: text } : null
    return { outcome: 'done', etag, crc64, callback }
  } catch (cause) {
    const hadNoEffect = cause instanceof StorageProblem && !cause.maybeApplied
    return hadNoEffect ? { outcome: 'refused', cause } : { outcome: 'unknown', cause }
  }
}

function unreadable(operation: OssOperation): StorageProblem {
  return new StorageProblem('Object storage gave no usable answer.', {
    cause: new Error(`${operation}: a reply of 2xx without what it must contain`),
    maybeApplied: true,
  })
}
