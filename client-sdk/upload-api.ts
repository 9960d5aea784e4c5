import type { Reply, RequestBody } from './contract/endpoints.ts'
import type { Upload, UploadState } from './contract/upload.ts'
import { ClientException } from './errors.ts'
import { replyShapes, type Shape } from './reply-shape.ts'
import type { CallOptions, ServerRequest } from './request.ts'

/** What `POST /v1/uploads` takes; bounds are checked by the server. */
export type CreateUploadBody = RequestBody<'createUpload'>
/** What `POST /v1/uploads/{id}/complete` takes: the file's CRC-64, in decimal, to be compared with the object's. */
export type CompleteUploadBody = RequestBody<'completeUpload'>

/** Which uploads to list: all of the caller's that match. */
export interface ListUploadsQuery {
  state?: UploadState | undefined
  fingerprint?: string | undefined
  /** `nextCursor` of the page before. */
  cursor?: string | undefined
  /** 1 to 100, by default 50. */
  limit?: number | undefined
}

/** One method per endpoint of the server, typed from the contract. All of them throw ServiceException or ClientException. */
export interface UploadApi {
  /** Starts an upload, or finds the open one (`isNew` false) by idempotency key or by fingerprint. Where the tenant has a limit, waits for
   *  room as long as the retries last, some two minutes by default; then throws the problem `quota-exceeded` or `rate-limited`. */
  createUpload(
    body: CreateUploadBody,
    options?: CallOptions & { idempotencyKey?: string | undefined },
  ): Promise<Reply<'createUpload'> & { isNew: boolean }>
  /** One page, newest first. */
  listUploads(query?: ListUploadsQuery, options?: CallOptions): Promise<Reply<'listUploads'>>
  /** With `reconcile` the server reads the stored parts from OSS first. */
  getUpload(id: string, options?: CallOptions & { reconcile?: boolean | undefined }): Promise<{ upload: Upload }>
  /** One page of the parts OSS holds, with numbers above `after`. */
  listParts(
    id: string,
    query?: { after?: number | undefined; limit?: number | undefined },
    options?: CallOptions,
  ): Promise<Reply<'listParts'>>
  /** Presigned URLs for 1 to 100 parts. They are secrets until they expire. */
  grantParts(id: string, parts: RequestBody<'grantParts'>['parts'], options?: CallOptions): Promise<Reply<'grantParts'>>
  /** STS credentials for the upload's object. They are secrets until they expire. */
  grantCredentials(id: string, options?: CallOptions): Promise<Reply<'grantCredentials'>>
  /** STS credentials for the caller's own folder, to start uploads there without Partway. They are secrets until they expire. */
  grantDirectCredentials(options?: CallOptions): Promise<Reply<'grantDirectCredentials'>>
  /** Reports up to 1,000 parts as stored. The server shows them, and checks them before it joins them. */
  saveCheckpoint(
    id: string,
    parts: RequestBody<'saveCheckpoint'>['parts'],
    options?: CallOptions,
  ): Promise<{ upload: Upload }>
  /** Joins the parts. The upload comes back `completed`, or `completing`: then ask again. */
  completeUpload(id: string, body?: CompleteUploadBody, options?: CallOptions): Promise<Reply<'completeUpload'>>
  /** Gives up: the parts are discarded. May be called again. Problem `upload-state-conflict` for an upload that is completed, or about to be. */
  abortUpload(id: string, options?: CallOptions): Promise<{ upload: Upload }>
  /** The server's clock. */
  getTime(options?: CallOptions): Promise<Reply<'getTime'>>
}

/** Joining thousands of parts takes OSS a while. */
const completeTimeoutMs = 120_000

export function createUploadApi(
  send: <Body>(call: ServerRequest) => Promise<{ status: number; body: Body }>,
): UploadApi {
  const pathOf = (id: string, rest = '') => `/v1/uploads/${encodeURIComponent(id)}${rest}`
  /** Throws ClientException `invalid-reply` for an answer without the fields that are relied on. */
  const sendChecked = async <Body>(call: ServerRequest, hasShape: Shape) => {
    const reply = await send<Body>(call)
    if (hasShape(reply.body)) return reply
    throw new ClientException(
      'invalid-reply',
      `The answer to ${call.method} ${call.path} lacks what the contract promises: is this the Partway server?`,
    )
  }
  const bodyOf = async <Body>(call: ServerRequest, hasShape: Shape) => (await sendChecked<Body>(call, hasShape)).body
  return {
    async createUpload(body, { idempotencyKey, ...options } = {}) {
      const headers = idempotencyKey === undefined ? undefined : { 'idempotency-key': idempotencyKey }
      const call = { ...options, method: 'POST', path: '/v1/uploads', headers, body } as const
      const reply = await sendChecked<Reply<'createUpload'>>(call, replyShapes.created)
      return { ...reply.body, isNew: reply.status === 201 }
    },
    listUploads: (query, options) =>
      bodyOf({ ...options, method: 'GET', path: '/v1/uploads', query: { ...query } }, replyShapes.uploads),
    getUpload: (id, { reconcile, ...options } = {}) =>
      bodyOf(
        { ...options, method: 'GET', path: pathOf(id), query: { reconcile: reconcile || undefined } },
        replyShapes.upload,
      ),
    listParts: (id, query, options) =>
      bodyOf({ ...options, method: 'GET', path: pathOf(id, '/parts'), query: { ...query } }, replyShapes.parts),
    grantParts: (id, parts, options) =>
      bodyOf({ ...options, method: 'POST', path: pathOf(id, '/grants'), body: { parts } }, replyShapes.grants),
    grantCredentials: (id, options) =>
      bodyOf({ ...options, method: 'POST', path: pathOf(id, '/credentials') }, replyShapes.uploadCredentials),
    grantDirectCredentials: (options) =>
      bodyOf({ ...options, method: 'POST', path: '/v1/credentials' }, replyShapes.directCredentials),
    saveCheckpoint: (id, parts, options) =>
      bodyOf({ ...options, method: 'PUT', path: pathOf(id, '/checkpoint'), body: { parts } }, replyShapes.upload),
    completeUpload: (id, body, options) =>
      bodyOf(
        { timeoutMs: completeTimeoutMs, ...options, method: 'POST', path: pathOf(id, '/complete'), body: body ?? {} },
        replyShapes.upload,
      ),
    abortUpload: (id, options) => bodyOf({ ...options, method: 'DELETE', path: pathOf(id) }, replyShapes.upload),
    getTime: (options) => bodyOf({ ...options, method: 'GET', path: '/v1/time' }, replyShapes.any),
  }
}
