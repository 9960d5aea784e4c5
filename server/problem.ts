import { type ProblemCode, type ProblemDocument, problems } from '@partway/client/contract'

interface ProblemOptions {
  /** What really happened. For the log only; never sent. */
  cause?: unknown
  /** Sent as `Retry-After`, in whole seconds. */
  retryAfterSeconds?: number
  errors?: NonNullable<ProblemDocument['errors']>
  parts?: NonNullable<ProblemDocument['parts']>
}

/**
 * An answer that is not success: a code of the contract, a `detail` that is safe for the caller to read (no secret, no provider text),
 * and a private cause. Everything thrown that is not a Problem reaches the caller as `internal`.
 */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly detail: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly errors: ProblemDocument['errors']
  readonly parts: ProblemDocument['parts']

  constructor(code: ProblemCode, detail?: string, options: ProblemOptions = {}) {
    super(detail ?? problems[code].title, { cause: options.cause })
    this.name = 'Problem'
    this.code = code
    this.status = problems[code].status
    this.detail = detail
    this.retryAfterSeconds = options.retryAfterSeconds ?? (this.status === 503 ? 5 : undefined)
    this.errors = options.errors
    this.parts = options.parts
  }
}
