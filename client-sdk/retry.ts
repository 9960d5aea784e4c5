/** When to try again. All of it pure: what happened goes in, a delay or a stop comes out. */
export interface RetryPolicy {
  /** The first back-off reaches up to this. */
  baseMs: number
  /**
   * No back-off reaches past this; what a service asks for may. Where no answer comes at all, nor does one reach past the length of the
   * outage so far, or `baseMs`.
   */
  capMs: number
  /**
   * Attempts in a row that may fail. Where no answer comes they follow each other quickly: ten take some 7 s, twenty a minute. To ride out a
   * shorter outage than the default's, make `budgetMs` smaller, not this.
   */
  maxAttempts: number
  /** Retries start only within this long after the first failure in a row: how long an outage may last. */
  budgetMs: number
}

/**
 * Rides out two minutes of outage. With full jitter and a cap of 10 s the 50 attempts take well over three minutes, so that the time
 * decides; the attempts do where every one of them moves bytes, which is no part of an outage.
 */
export const defaultRetryPolicy: RetryPolicy = { baseMs: 400, capMs: 10_000, maxAttempts: 50, budgetMs: 120_000 }

/** For what is repeated anyway, or has another way to go. */
export const singleAttempt: RetryPolicy = { baseMs: 0, capMs: 0, maxAttempts: 1, budgetMs: 0 }

/** What an attempt came to. */
export interface FailedAttempt {
  /** Neither OSS nor the server has said anything. */
  isUnanswered?: boolean | undefined
  status?: number | undefined
  /** OSS's error code or the problem's. */
  code?: string | undefined
  /** From `Retry-After` or `x-oss-qos-delay-time`, see {@link askedDelayMs}. */
  retryAfterMs?: number | undefined
}

/** The longest wait a service may ask for before the SDK gives up instead: past it, waiting is the caller's decision. */
const maxAskedMs = 10 * 60_000

// 408, 429 and 5xx by HTTP; the codes are those Alibaba's own SDKs retry. Source: oss-protocol facts on go-v2's retryer.
const retriedStatuses = new Set([408, 429, 500, 502, 503, 504])
const retriedCodes = new Set(['RequestTimeout', 'BadRequest', 'InternalError', 'ServiceUnavailable', 'SlowDown'])

/** Whether the same request may succeed later. */
export function isTransient(failure: FailedAttempt): boolean {
  if (failure.status === undefined || retriedStatuses.has(failure.status)) return true
  return failure.code !== undefined && retriedCodes.has(failure.code)
}

/**
 * The delay in ms before the next attempt, or null for stop. `failures` counts the failed attempts in a row (≥ 1), `elapsedMs` is the
 * time since the first of them, `random` is in [0, 1). Full jitter: anywhere between nothing and the capped exponential, because
 * clients that failed together must not come back together. What the service asks for is a floor, with jitter on top. A line that is down has
 * nobody to spare: where no answer came, the wait is no longer than the outage was so far (or `baseMs`), so that little is added to a short one.
 */
export function retryDelayMs(
  policy: RetryPolicy,
  failures: number,
  elapsedMs: number,
  failure: FailedAttempt,
  random: number,
): number | null {
  if (!isTransient(failure)) return null
  if (failures >= policy.maxAttempts || elapsedMs >= policy.budgetMs) return null
  const asked = failure.retryAfterMs ?? 0
  if (asked > maxAskedMs) return null
  // Less than nothing: the clock was set back.
  const isLineDown = failure.isUnanswered && elapsedMs >= 0
  const patience = isLineDown ? Math.max(policy.baseMs, elapsedMs) : Number.POSITIVE_INFINITY
  const ceiling = Math.min(policy.capMs, patience, policy.baseMs * 2 ** Math.min(failures - 1, 30))
  return asked + Math.floor(random * (asked > 0 ? Math.min(ceiling, Math.max(asked / 4, policy.baseMs)) : ceiling))
}

/**
 * The wait a reply asks for, in ms: the longer of `Retry-After` (whole seconds or an HTTP date) and OSS's `x-oss-qos-delay-time` (ms).
 * Undefined when neither is there or readable. `nowMs` is the server's clock, which a date is counted from.
 */
export function askedDelayMs(header: (name: string) => string | null | undefined, nowMs: number): number | undefined {
  const delays = [retryAfterMs(header('retry-after'), nowMs), wholeNumber(header('x-oss-qos-delay-time'))]
  const known = delays.filter((delay) => delay !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

function retryAfterMs(value: string | null | undefined, nowMs: number): number | undefined {
  if (!value) return undefined
  const seconds = wholeNumber(value)
  if (seconds !== undefined) return seconds * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}

function wholeNumber(value: string | null | undefined): number | undefined {
  return value && /^\s*\d{1,9}\s*$/.test(value) ? Number(value) : undefined
}
