import { z } from 'zod'
import {
  AdminSort,
  AdminUpload,
  AdminUploadDetail,
  Cors,
  Lifecycle,
  Orphan,
  OrphanAction,
  OrphanId,
  OrphanKind,
  ResolvedOrphan,
  Summary,
  Sweep,
  SweptUpload,
} from './admin.ts'
import { CallbackResult, UploadCallback } from './callback.ts'
import { AuthServerReply, AuthUrl, AuthUrlId, DirectCredentials, UploadCredentials } from './credentials.ts'
import { AdminEvent } from './event.ts'
import { PartClaim, PartGrant, PartRequest, StoredPart } from './part.ts'
import { MAX_PARTS } from './part-plan.ts'
import { ByteCount, Crc64, Instant, PartSize, text, UploadId } from './primitives.ts'
import type { ProblemCode } from './problem.ts'
import { Tenant, TenantLimitsChange, TenantName } from './tenant.ts'
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
  /** What opens it in place of a bearer token. */
  access?: string
  /** For clients that read no status: whatever happens, the first reply is the answer, and problems stand in its body. */
  problemsInBody?: true
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

const unique = (values: readonly string[]) => new Set(values).size === values.length

const id = z.strictObject({ id: UploadId })
const tenantFilter = TenantName.optional().meta({
  description: 'By default the token’s; for an administrator of all tenants, each.',
})
const dryRun = z.boolean().optional().meta({ description: 'Only say what would be done.' })
const cursor = text(2000)
  .optional()
  .meta({ description: '`nextCursor` of the page before, asked for with the same filters.' })
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
  grantCredentials: {
    method: 'POST',
    path: '/v1/uploads/{id}/credentials',
    summary: 'STS credentials narrowed to the upload’s object',
    scope: 'credentials',
    params: id,
    replies: { 200: UploadCredentials },
    problems: [
      'upload-not-found',
      'upload-state-conflict',
      'upload-gone',
      'upload-expired',
      'tenant-suspended',
      'credentials-disabled',
      'storage-unavailable',
    ],
  },
  grantDirectCredentials: {
    method: 'POST',
    path: '/v1/credentials',
    summary: 'STS credentials narrowed to the caller’s own folder, for clients that start uploads themselves',
    scope: 'credentials:direct',
    replies: { 200: DirectCredentials },
    problems: ['tenant-suspended', 'credentials-disabled'],
  },
  createAuthUrl: {
    method: 'POST',
    path: '/v1/credentials/url',
    summary: 'A URL at which Alibaba’s mobile SDKs fetch such credentials by themselves',
    scope: 'credentials:direct',
    replies: { 201: AuthUrl },
    problems: ['tenant-suspended', 'credentials-disabled'],
  },
  revokeAuthUrl: {
    method: 'DELETE',
    path: '/v1/credentials/url/{id}',
    summary: 'Make such a URL answer nobody any more; again, or for one that never was: the same answer',
    scope: 'credentials:direct',
    params: z.strictObject({ id: AuthUrlId }),
    replies: { 200: z.object({ id: AuthUrlId }) },
    problems: [],
  },
  askAuthServer: {
    method: 'GET',
    path: '/v1/compat/auth-server',
    summary: 'The credentials an auth URL stands for, as Alibaba’s mobile SDKs read them',
    access: 'Opened by the `token` of an auth URL. Answers 200 whatever happens: `StatusCode` tells.',
    problemsInBody: true,
    query: z.looseObject({ token: text(200).optional() }),
    replies: { 200: AuthServerReply },
    problems: [],
  },
  listAdminUploads: {
    method: 'GET',
    path: '/v1/admin/uploads',
    summary: 'Uploads with what they hold; filters combine',
    scope: 'admin',
    query: z.strictObject({
      staleForSeconds: whole(0, 999_999_999).optional().meta({ description: 'Idle for at least so long.' }),
      state: UploadState.optional().meta({
        description: 'By default all that are not ended: pending, uploading, completing, aborting.',
      }),
      tenant: tenantFilter,
      prefix: text(1023).optional().meta({ description: 'Keys that begin with it.' }),
      minBytes: z
        .string()
        .regex(/^[0-9]{1,16}$/, 'must be a whole number')
        .transform(Number)
        .pipe(z.int().min(0).max(Number.MAX_SAFE_INTEGER))
        .meta({ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, pattern: undefined })
        .optional()
        .meta({
          description: 'Holding at least so many bytes. Not with `completed` or `aborted`, which hold no parts.',
        }),
      sort: AdminSort.optional().meta({
        description:
          'By default `lastActivityAt`. `storedBytes` not with `completed` or `aborted`, which hold no parts.',
      }),
      order: z.enum(['asc', 'desc']).optional().meta({
        description:
          'By default `asc` (longest idle or oldest first), but `desc` for `storedBytes` and for ended uploads.',
      }),
      cursor,
      limit: whole(1, 100).optional().meta({ description: 'Uploads per page, by default 50.' }),
    }),
    replies: { 200: z.object({ uploads: z.array(AdminUpload), nextCursor: z.string().nullable() }) },
    problems: [],
  },
  getAdminUpload: {
    method: 'GET',
    path: '/v1/admin/uploads/{id}',
    summary: 'One upload with its parts, grants, credentials and events',
    scope: 'admin',
    params: id,
    query: z.strictObject({
      partsAfter: whole(0, MAX_PARTS).optional().meta({ description: 'Parts with a greater number; by default 0.' }),
    }),
    replies: { 200: AdminUploadDetail },
    problems: ['upload-not-found'],
  },
  getSummary: {
    method: 'GET',
    path: '/v1/admin/summary',
    summary: 'What unfinished uploads hold, by state, tenant and age, over time, and what it costs',
    scope: 'admin',
    query: z.strictObject({ tenant: tenantFilter }),
    replies: { 200: Summary },
    problems: [],
  },
  abortUploads: {
    method: 'POST',
    path: '/v1/admin/uploads/abort',
    summary: 'Give some uploads up, but none that somebody may still be sending. All or, when an id is unknown, none',
    scope: 'admin',
    body: z.strictObject({
      ids: z.array(UploadId).min(1).max(100).refine(unique, 'must not name an upload twice'),
      dryRun,
    }),
    replies: { 200: z.object({ sweep: Sweep, uploads: z.array(SweptUpload) }) },
    problems: [...bodyProblems, 'upload-not-found'],
  },
  sweepUploads: {
    method: 'POST',
    path: '/v1/admin/sweep',
    summary: 'Give up uploads that have been idle for so long, longest idle first',
    scope: 'admin',
    body: z.strictObject({
      olderThanSeconds: z.int().min(3600).max(999_999_999).meta({ description: 'Idle for so long; an hour or more.' }),
      dryRun,
      limit: z.int().min(1).max(1000).optional().meta({ description: 'Uploads to look at, by default 100.' }),
      tenant: tenantFilter,
    }),
    replies: {
      200: z.object({
        sweep: Sweep,
        uploads: z.array(SweptUpload),
        more: z.boolean().meta({
          description: 'Whether there may be more to give up: the limit, or 20 s, were reached. Then ask again.',
        }),
      }),
    },
    problems: [...bodyProblems],
  },
  listSweeps: {
    method: 'GET',
    path: '/v1/admin/sweeps',
    summary: 'Reports of sweeps that found something, or that somebody asked for, newest first; kept for 30 days',
    scope: 'admin',
    query: z.strictObject({
      tenant: tenantFilter,
      cursor,
      limit: whole(1, 100).optional().meta({ description: 'Reports per page, by default 20.' }),
    }),
    replies: { 200: z.object({ sweeps: z.array(Sweep), nextCursor: z.string().nullable() }) },
    problems: [],
  },
  listOrphans: {
    method: 'GET',
    path: '/v1/admin/orphans',
    summary: 'Where bucket and table disagree, read from OSS page by page',
    scope: 'admin',
    query: z.strictObject({
      kind: OrphanKind.optional(),
      tenant: tenantFilter,
      cursor: text(6000).optional().meta({ description: '`nextCursor` of the page before, with the same filters.' }),
      limit: whole(1, 1000).optional().meta({
        description: 'How many multipart uploads and rows to compare per page, by default 200.',
      }),
    }),
    replies: {
      200: z.object({
        orphans: z.array(Orphan),
        compared: z.int().min(0).meta({ description: 'How many multipart uploads and rows this page compared.' }),
        unanswered: z.int().min(0).meta({
          description:
            'About how many of them OSS gave no usable answer: they may be orphans, and are not among these.',
        }),
        nextCursor: z.string().nullable().meta({ description: 'Not null also after a page on which all agreed.' }),
      }),
    },
    problems: ['storage-unavailable'],
  },
  resolveOrphans: {
    method: 'POST',
    path: '/v1/admin/orphans/resolve',
    summary: 'Adopt, abort or close some orphans, each asked for anew by its id',
    scope: 'admin',
    body: z.strictObject({
      action: OrphanAction,
      ids: z.array(OrphanId).min(1).max(50).refine(unique, 'must not name an orphan twice'),
      dryRun,
    }),
    replies: { 200: z.object({ orphans: z.array(ResolvedOrphan) }) },
    problems: [...bodyProblems, 'storage-unavailable'],
  },
  getLifecycle: {
    method: 'GET',
    path: '/v1/admin/lifecycle',
    summary:
      'Whether the bucket’s lifecycle ends forgotten uploads; for administrators of all tenants. 403 also when the server itself may not look at it',
    scope: 'admin',
    replies: { 200: Lifecycle },
    problems: ['storage-unavailable'],
  },
  mergeLifecycle: {
    method: 'PUT',
    path: '/v1/admin/lifecycle',
    summary:
      'Add the rules the bucket’s lifecycle lacks, all or, when one cannot be, none; every other rule stays. For administrators of all tenants. 403 also when the server itself may not change it',
    scope: 'admin',
    replies: { 200: Lifecycle },
    problems: ['storage-unavailable'],
  },
  getCors: {
    method: 'GET',
    path: '/v1/admin/cors',
    summary: 'Whether the bucket lets web pages upload; for administrators of all tenants',
    scope: 'admin',
    replies: { 200: Cors },
    problems: [],
  },
  getTenant: {
    method: 'GET',
    path: '/v1/admin/tenants/{tenant}',
    summary: 'A tenant’s limits, and what it uses of them',
    scope: 'admin',
    params: z.strictObject({ tenant: TenantName }),
    replies: { 200: z.object({ tenant: Tenant }) },
    problems: [],
  },
  updateTenant: {
    method: 'PATCH',
    path: '/v1/admin/tenants/{tenant}',
    summary:
      'Suspend a tenant, or lift that: no new uploads, grants and credentials from the next request on. Only an administrator of all tenants sets limits',
    scope: 'admin',
    params: z.strictObject({ tenant: TenantName }),
    body: z
      .strictObject({ suspended: z.boolean().optional(), limits: TenantLimitsChange.optional() })
      .refine((change) => Object.keys(change).length > 0, 'must change something'),
    replies: { 200: z.object({ tenant: Tenant }) },
    problems: [...bodyProblems, 'tenant-suspended'],
  },
  listEvents: {
    method: 'GET',
    path: '/v1/admin/events',
    summary: 'What an administrator should know about, newest first',
    scope: 'admin',
    query: z.strictObject({
      tenant: TenantName.optional().meta({ description: 'By default the token’s; for one of all tenants, each.' }),
      cursor: text(200).optional().meta({ description: '`nextCursor` of the page before.' }),
      limit: whole(1, 100).optional().meta({ description: 'Events per page, by default 50.' }),
    }),
    replies: { 200: z.object({ events: z.array(AdminEvent), nextCursor: z.string().nullable() }) },
    problems: [],
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

/** What stands for the braces of a path. */
export type RequestParams<Name extends EndpointName> = WireOf<Endpoints[Name], 'params'>
/** The JSON a client sends. */
export type RequestBody<Name extends EndpointName> = WireOf<Endpoints[Name], 'body'>
/** The query a client sends, as text. */
export type RequestQuery<Name extends EndpointName> = WireOf<Endpoints[Name], 'query'>
/** The JSON of a successful reply. */
export type Reply<Name extends EndpointName> = z.output<
  Endpoints[Name]['replies'][keyof Endpoints[Name]['replies']] & z.ZodType
>
