import { z } from 'zod'
import { CallbackResult, UploadCallback } from './callback.ts'
import { PartClaim, PartGrant, PartRequest, StoredPart } from './part.ts'
import { MAX_PARTS } from './part-plan.ts'
import { ByteCount, Crc64, Instant, PartSize, text, UploadId } from './primitives.ts'
import type { ProblemCode } from './problem.ts'
import { ContentType, FileName, Fingerprint, Metadata, Upload, UploadState } from './upload.ts'

/** A permission named in a token's `scope`. */
export type Scope = 'uploads' | 'uploads:tenant' | 'credentials' | 'credentials:direct' | 'admin'

/** One operation of the HTTP API. `params`, `query`, `headers` and `body` are strict: what they do not name is refused. */
export interface Endpoint {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** As in OpenAPI: `/v1/uploads/{id}`. */
  path: string
  summary: string
  /** What the token must hold; none for operations open to everybody. */
  scope?: Scope
  params?: z.ZodType
  query?: z.ZodType
  headers?: z.ZodType
  body?: z.ZodType
  /** Status → reply. The first is the usual one. */
  replies: Readonly<Record<number, z.ZodType>>
  /** The problems that belong to this operation; those any operation can answer are in {@link commonProblems}. */
  problems: readonly ProblemCode[]
}

/** Problems that every operation with a token can answer. `credentials-unavailable`: also when the keys that verify tokens (JWKS) cannot
 *  be had; a 401 would make clients drop good tokens. */
export const commonProblems = [
  'invalid-request',
  'unauthenticated',
  'forbidden',
  'rate-limited',
  'internal',
  'database-unavailable',
  'credentials-unavailable',
] as const satisfies readonly ProblemCode[]

/** Problems of paths and methods no operation has. */
export const routingProblems = ['not-found', 'method-not-allowed'] as const satisfies readonly ProblemCode[]

const bodyProblems = ['payload-too-large', 'unsupported-media-type'] as const

const uniqueParts = <Part extends { partNumber: number }>(parts: Part[]) =>
  new Set(parts.map((part) => part.partNumber)).size === parts.length

const PartRequests = (atLeast: number) =>
  z.array(PartRequest).min(atLeast).max(100).refine(uniqueParts, 'must not name a part twice')

const id = z.strictObject({ id: UploadId })
const oneUpload = z.object({ upload: Upload })
const completedUpload = z.object({
  upload: Upload,
  callbackResult: CallbackResult.nullable().meta({
    description:
      'Null without a callback, before its outcome, and when the reply that held it was lost: OSS repeats none.',
  }),
})
// A query arrives as text: digits only, so that neither '' nor '0x10' nor '1e3' is a number.
const whole = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^[0-9]{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(minimum).max(maximum))
    .meta({ type: 'integer', minimum, maximum, pattern: undefined })

export const endpoints = {
  createUpload: {
    method: 'POST',
    path: '/v1/uploads',
    summary: 'Start an upload, or find the open one to go on with',
    scope: 'uploads',
    headers: z.object({
      'idempotency-key': z
        .string()
        .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters without spaces')
        .optional()
        .meta({ description: 'The same key and body within 24 h answers with the same upload.' }),
    }),
    body: z.strictObject({
      fileName: FileName,
      sizeBytes: ByteCount,
      contentType: ContentType.optional().meta({ description: 'By default application/octet-stream.' }),
      fingerprint: Fingerprint.optional(),
      resume: z
        .boolean()
        .optional()
        .meta({ description: 'Answer with the caller’s open upload of this fingerprint and size, if there is one.' }),
      partSizeBytes: PartSize.optional().meta({
        description: 'By default 8 MiB. Grown when the file would have more than 10,000 parts.',
      }),
      parts: PartRequests(0).optional().meta({ description: 'Parts to grant in the same round trip.' }),
      metadata: Metadata.optional(),
      callback: UploadCallback.optional().meta({
        description: 'Sent by OSS when it makes the object. An upload that is found keeps the one it was created with.',
      }),
    }),
    replies: {
      201: z.object({ upload: Upload, grants: z.array(PartGrant) }),
      200: z.object({ upload: Upload, grants: z.array(PartGrant) }),
    },
    problems: [
      ...bodyProblems,
      'file-too-large',
      'content-type-not-allowed',
      'idempotency-key-reused',
      'upload-state-conflict',
      'tenant-suspended',
      'quota-exceeded',
      'storage-unavailable',
    ],
  },
  listUploads: {
    method: 'GET',
    path: '/v1/uploads',
    summary: 'The caller’s uploads, newest first',
    scope: 'uploads',
    query: z.strictObject({
      state: UploadState.optional(),
      fingerprint: Fingerprint.optional(),
      cursor: text(200).optional().meta({ description: '`nextCursor` of the page before.' }),
      limit: whole(1, 100).optional().meta({ description: 'Uploads per page, by default 50.' }),
    }),
    replies: { 200: z.object({ uploads: z.array(Upload), nextCursor: z.string().nullable() }) },
    problems: [],
  },
  getUpload: {
    method: 'GET',
    path: '/v1/uploads/{id}',
    summary: 'One upload with its checkpoint',
    scope: 'uploads',
    params: id,
    query: z.strictObject({
      reconcile: z
        .enum(['true', 'false'])
        .optional()
        .meta({ description: 'With `true`, the stored parts are read from OSS first.' }),
    }),
    replies: { 200: oneUpload },
    problems: ['upload-not-found', 'storage-unavailable'],
  },
  listParts: {
    method: 'GET',
    path: '/v1/uploads/{id}/parts',
    summary: 'The stored parts, read from OSS',
    scope: 'uploads',
    params: id,
    query: z.strictObject({
      after: whole(0, MAX_PARTS).optional().meta({ description: 'Parts with a greater number; by default 0.' }),
      limit: whole(1, 1000).optional().meta({ description: 'Parts per page, by default 1,000.' }),
    }),
    replies: { 200: z.object({ parts: z.array(StoredPart), nextAfter: z.int().nullable() }) },
    problems: ['upload-not-found', 'upload-state-conflict', 'upload-gone', 'upload-expired', 'storage-unavailable'],
  },
  grantParts: {
    method: 'POST',
    path: '/v1/uploads/{id}/grants',
    summary: 'Presigned URLs for some parts',
    scope: 'uploads',
    params: id,
    body: z.strictObject({ parts: PartRequests(1) }),
    replies: { 200: z.object({ grants: z.array(PartGrant) }) },
    problems: [
      ...bodyProblems,
      'upload-not-found',
      'upload-state-conflict',
      'upload-gone',
      'upload-expired',
      'tenant-suspended',
    ],
  },
  saveCheckpoint: {
    method: 'PUT',
    path: '/v1/uploads/{id}/checkpoint',
    summary: 'Report parts as stored',
    scope: 'uploads',
    params: id,
    body: z.strictObject({
      parts: z.array(PartClaim).min(1).max(1000).refine(uniqueParts, 'must not name a part twice'),
    }),
    replies: { 200: oneUpload },
    problems: [...bodyProblems, 'upload-not-found', 'upload-state-conflict', 'upload-gone', 'upload-expired'],
  },
  completeUpload: {
    method: 'POST',
    path: '/v1/uploads/{id}/complete',
    summary: 'Check every part against OSS and join them',
    scope: 'uploads',
    params: id,
    body: z.strictObject({
      crc64: Crc64.optional().meta({ description: 'Of the whole file, from local bytes only.' }),
    }),
    replies: { 200: completedUpload, 202: completedUpload },
    problems: [
      ...bodyProblems,
      'upload-not-found',
      'parts-missing',
      'part-mismatch',
      'upload-state-conflict',
      'upload-gone',
      'upload-expired',
      'storage-unavailable',
    ],
  },
  abortUpload: {
    method: 'DELETE',
    path: '/v1/uploads/{id}',
    summary: 'Give up and discard the parts',
    scope: 'uploads',
    params: id,
    replies: { 200: oneUpload },
    problems: ['upload-not-found', 'upload-state-conflict'],
  },
  getTime: {
    method: 'GET',
    path: '/v1/time',
    summary: 'The server’s clock',
    replies: { 200: z.object({ now: Instant }) },
    problems: ['internal'],
  },
} as const satisfies Record<string, Endpoint>

export type Endpoints = typeof endpoints
export type EndpointName = keyof Endpoints

type InputOf<E, Field extends string> = E extends { [K in Field]: infer Schema extends z.ZodType }
  ? z.output<Schema>
  : undefined
type WireOf<E, Field extends string> = E extends { [K in Field]: infer Schema extends z.ZodType }
  ? z.input<Schema>
  : undefined

/** What a handler receives, parsed. */
export type EndpointInput<E extends Endpoint> = {
  params: InputOf<E, 'params'>
  query: InputOf<E, 'query'>
  headers: InputOf<E, 'headers'>
  body: InputOf<E, 'body'>
}

/** The JSON a client sends. */
export type RequestBody<Name extends EndpointName> = WireOf<Endpoints[Name], 'body'>
/** The query a client sends, as text. */
export type RequestQuery<Name extends EndpointName> = WireOf<Endpoints[Name], 'query'>
/** The JSON of a successful reply. */
export type Reply<Name extends EndpointName> = z.output<
  Endpoints[Name]['replies'][keyof Endpoints[Name]['replies']] & z.ZodType
>
