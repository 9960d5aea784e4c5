import { type IssuerFailure, IssuerProblem } from './credential-issuer.ts'

/** What went wrong at STS, for the log: its code and request id, and never its message, which repeats what was sent and signed. */
export class StsError extends Error {
  readonly code: string
  readonly requestId: string | undefined

  constructor(code: string, requestId?: string) {
    super(`AssumeRole: ${code}${requestId ? `, request id ${requestId}` : ''}`)
    this.name = 'StsError'
    this.code = code
    this.requestId = requestId
  }
}

const details: Record<IssuerFailure, string> = {
  throttled: 'Too many credentials are being asked for.',
  unreachable: 'The security token service gave no usable answer.',
  refused: 'The security token service refused the server’s credentials or rights.',
  scope: 'The security token service does not take this scope.',
}

/** The Problem for an error code of STS that came with an HTTP status. Codes: STS "Error codes", and the RPC gateway's own. */
export function problemOfCode(error: StsError, status: number): IssuerProblem {
  return problemOf(failureOf(error.code, status), error)
}

/** The Problem for a failure of this kind: one detail for each, which names nothing of the request. */
export function problemOf(failure: IssuerFailure, cause: StsError): IssuerProblem {
  return new IssuerProblem(failure, details[failure], { cause })
}

function failureOf(code: string, status: number): IssuerFailure {
  if (/^Throttling(\.|$)/.test(code) || status === 429) return 'throttled'
  if (/^InvalidParameter\.(Policy|RoleSessionName)/.test(code)) return 'scope'
  // The nonce is random: met twice, it was the same request, sent again on the way.
  if (status >= 500 || code === 'SignatureNonceUsed') return 'unreachable'
  return 'refused'
}

/** `value` if it can stand in a log line or a metric's label as it is, else `other`. */
export function saneWord(value: unknown, other: string): string {
  return typeof value === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(value) ? value : other
}
