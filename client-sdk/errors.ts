import type { ProblemCode, ProblemDocument } from './contract/problem.ts'

/**
 * Why a call failed on this side of the wire:
 * - `cancelled`: `cancel()` or the caller's AbortSignal
 * - `network`: no answer from server or OSS, also after all retries
 * - `timeout`: an answer took longer than allowed, or OSS never finished joining the parts
 * - `source-changed`: the file is not, or no longer, the one whose parts are stored
 * - `source-unreadable`: the file is missing, not a regular file, or cannot be read
 * - `invalid-argument`: an option or argument is out of its bounds, what `token()` gave is no token, or mode `sts` where there is no Web Crypto
 * - `token-unavailable`: `token()` failed or never answered; nothing is tried again, what may pass is for `token()` to repeat
 * - `invalid-reply`: an answer that does not follow the contract, e.g. from a proxy in between
 * - `upload-ended`: the upload was aborted by somebody else while it ran
 * - `corrupted`: bytes keep arriving at OSS other than they left
 * - `cors-blocked`: the browser hides every answer of OSS or server: their CORS rules do not name the page's origin
 * - `csp-blocked`: the page's own Content-Security-Policy does not let it reach OSS or server
 * - `unexpected`: a mistake of the SDK, or of a port it was given; `cause` tells
 */
export type ClientErrorCode =
  | 'cancelled'
  | 'network'
  | 'timeout'
  | 'source-changed'
  | 'source-unreadable'
  | 'invalid-argument'
  | 'token-unavailable'
  | 'invalid-reply'
  | 'upload-ended'
  | 'corrupted'
  | 'cors-blocked'
  | 'csp-blocked'
  | 'unexpected'

/** A failure that no server answered: local, network or cancelled. Messages never hold a signed URL or a token. */
export class ClientException extends Error {
  readonly code: ClientErrorCode

  constructor(code: ClientErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'ClientException'
    this.code = code
  }

  get isCancelled(): boolean {
    return this.code === 'cancelled'
  }
}

/** The codes each kind of service answers with: Partway's own table, or whatever OSS calls it (`NoSuchUpload`). */
interface CodesOf {
  server: ProblemCode
  oss: string
}
/** Who may answer. */
export type ServiceName = keyof CodesOf

interface ServiceFacts<From extends ServiceName> {
  from: From
  status: number
  code: CodesOf[From]
  message: string
  /** `X-Request-Id` of the server, `x-oss-request-id` of OSS. */
  requestId?: string | undefined
  /** OSS only: the host that answered. */
  hostId?: string | undefined
  /** OSS only: the fine-grained code, `0002-00000236`. */
  ec?: string | undefined
  /** Server only: the whole problem document. */
  problem?: ProblemDocument | undefined
  retryAfterMs?: number | undefined
}

/**
 * An answer that is not success, from the Partway server or from OSS. Narrow with {@link isServerProblem} or {@link isOssError}
 * before switching on `code`.
 */
export class ServiceException<From extends ServiceName = ServiceName> extends Error {
  /** Who answered. */
  readonly from: From
  /** The HTTP status. */
  readonly status: number
  /** One of {@link ProblemCode}, or what OSS calls it. */
  readonly code: CodesOf[From]
  /** What to name when asking about it: `X-Request-Id` of the server, `x-oss-request-id` of OSS. */
  readonly requestId: string | undefined
  /** OSS only: the host that answered. */
  readonly hostId: string | undefined
  /** OSS only: the fine-grained code, `0002-00000236`. */
  readonly ec: string | undefined
  /** Server only: the whole problem document. */
  readonly problem: ProblemDocument | undefined
  /** How long the service asked to wait, in ms. */
  readonly retryAfterMs: number | undefined

  constructor(facts: ServiceFacts<From>) {
    super(facts.message)
    this.name = 'ServiceException'
    this.from = facts.from
    this.status = facts.status
    this.code = facts.code
    this.requestId = facts.requestId
    this.hostId = facts.hostId
    this.ec = facts.ec
    this.problem = facts.problem
    this.retryAfterMs = facts.retryAfterMs
  }
}

/** Whether it is an answer of the Partway server; its `code` is then one of {@link ProblemCode}. */
export function isServerProblem(error: unknown): error is ServiceException<'server'> {
  return error instanceof ServiceException && error.from === 'server'
}

/** Whether it is an answer of OSS; its `code` is then whatever OSS calls it. */
export function isOssError(error: unknown): error is ServiceException<'oss'> {
  return error instanceof ServiceException && error.from === 'oss'
}

export function cancelled(cause?: unknown): ClientException {
  return new ClientException('cancelled', 'The upload was cancelled', cause === undefined ? {} : { cause })
}

/** The answer is well-formed, and cannot be true. */
export function invalidReply(what: string): ClientException {
  return new ClientException('invalid-reply', `The server's answer does not fit: ${what}`)
}

/** Any thrown value as one of the two exceptions callers are promised. */
export function toException(error: unknown): ClientException | ServiceException {
  if (error instanceof ClientException || error instanceof ServiceException) return error
  const message = error instanceof Error ? error.message : String(error)
  return new ClientException('unexpected', message, { cause: error })
}
