import { z } from 'zod'

/**
 * Every problem the API can answer, by its stable code. A code never changes its meaning. `client` says what a caller does about it.
 * The reason for an odd status: `upload-gone` is 410 and not 404 because the caller owns the upload and is told the truth about it;
 * an upload that is not the caller's is `upload-not-found`, byte for byte the answer for an id that never was.
 */
export const problems = {
  'invalid-request': { status: 400, title: 'The request is not valid', client: 'fixes it' },
  unauthenticated: { status: 401, title: 'A valid bearer token is needed', client: 'gets a token' },
  forbidden: { status: 403, title: 'The token does not allow this', client: 'stops' },
  'tenant-suspended': { status: 403, title: 'The tenant is suspended', client: 'stops' },
  'not-found': { status: 404, title: 'There is nothing at this path', client: 'fixes it' },
  'upload-not-found': { status: 404, title: 'No such upload', client: 'starts again' },
  'method-not-allowed': { status: 405, title: 'This path does not take that method', client: 'fixes it' },
  'parts-missing': { status: 409, title: 'Parts are missing', client: 'sends them' },
  'part-mismatch': { status: 409, title: 'Parts differ from what was declared', client: 're-sends those parts' },
  'upload-state-conflict': { status: 409, title: 'The upload is not in a state that allows this', client: 're-reads' },
  'credentials-disabled': { status: 409, title: 'This server vends no credentials', client: 'uses presigned mode' },
  'upload-gone': { status: 410, title: 'The upload has ended without an object', client: 'starts again' },
  'upload-expired': { status: 410, title: 'The upload has expired', client: 'starts again' },
  'file-too-large': { status: 413, title: 'The file is larger than allowed', client: 'stops' },
  'payload-too-large': { status: 413, title: 'The request body is too large', client: 'fixes it' },
  'unsupported-media-type': { status: 415, title: 'The request body must be JSON', client: 'fixes it' },
  'idempotency-key-reused': {
    status: 422,
    title: 'The idempotency key was used for another request',
    client: 'fixes it',
  },
  'content-type-not-allowed': { status: 422, title: 'This content type is not allowed', client: 'stops' },
  'rate-limited': { status: 429, title: 'Too many requests', client: 'waits `Retry-After`' },
  'quota-exceeded': { status: 429, title: 'The quota is used up', client: 'waits `Retry-After`' },
  internal: { status: 500, title: 'Something went wrong', client: 'reports it' },
  'storage-unavailable': {
    status: 503,
    title: 'Object storage cannot be reached',
    client: 'retries after `Retry-After`',
  },
  'database-unavailable': {
    status: 503,
    title: 'The database cannot be reached',
    client: 'retries after `Retry-After`',
  },
  'credentials-unavailable': {
    status: 503,
    title: 'Credentials cannot be obtained',
    client: 'retries after `Retry-After`',
  },
} as const

/** What the server calls its problems; codes never change meaning. */
export type ProblemCode = keyof typeof problems

export const problemCodes = Object.keys(problems) as [ProblemCode, ...ProblemCode[]]

export const ProblemDocument = z
  .object({
    type: z.string().meta({ description: 'Documentation of the code; ends in it.' }),
    title: z.string().meta({ description: 'Fixed for each code.' }),
    status: z.int().min(400).max(599),
    detail: z.string().optional().meta({ description: 'What happened here, safe to show.' }),
    instance: z.string().optional().meta({ description: 'The request id, as in the X-Request-Id header.' }),
    code: z.enum(problemCodes),
    errors: z
      .array(
        z.object({
          detail: z.string(),
          pointer: z
            .string()
            .meta({ description: 'JSON pointer into the request: `/body/…`, `/params/…`, `/query/…`, `/headers/…`.' }),
        }),
      )
      .optional()
      .meta({ description: 'For `invalid-request`: each thing that is wrong.' }),
    parts: z
      .array(z.object({ partNumber: z.int(), reason: z.string() }))
      .optional()
      .meta({ description: 'For `parts-missing` and `part-mismatch`: the first 1,000 parts concerned.' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' })

export type ProblemDocument = z.infer<typeof ProblemDocument>
