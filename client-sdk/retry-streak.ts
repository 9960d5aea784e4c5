import type { Clock } from './clock.ts'
import type { ClientException, ServiceException } from './errors.ts'
import type { LineEnd, LineNews } from './line-news.ts'
import { type FailedAttempt, type RetryPolicy, retryDelayMs } from './retry.ts'

/** What a caller is told before a wait. */
export interface RetryNotice {
  type: 'retry'
  /** `server`, or the part that is being sent. */
  of: 'server' | number
  /** Failures in a row so far. */
  failures: number
  /** The wait that follows, at most: it ends with the outage where somebody else hears of that end. */
  delayMs: number
  /** The last failure. */
  error: ClientException | ServiceException
}

/** Failures in a row of one thing that is tried again: a request, a part. */
export interface RetryStreak {
  /** The last `ms` were no part of an outage: bytes moved, nothing was to be sent, there was no network to send it by, or the machine slept. */
  leaveOut(ms: number): void
  /** Runs what is no part of an outage, however long it takes. */
  aside<Result>(run: () => Promise<Result>): Promise<Result>
  /** Waits until the next attempt is due, or throws `error` when there should be none. */
  waitOrThrow(
    error: ClientException | ServiceException,
    failure: FailedAttempt,
    signal: AbortSignal | undefined,
  ): Promise<void>
}

/**
 * Where no answer came, `news` ends a wait: of the end that is asked, and then the next outage has its own time, and its back-offs begin
 * small; or of the other end, once in an outage, as mostly it was the device that had no network. Attempts are counted on.
 */
export function createRetryStreak(
  clock: Clock,
  policy: RetryPolicy,
  of: RetryNotice['of'],
  onRetry?: (notice: RetryNotice) => void,
  news?: LineNews,
): RetryStreak {
  const end = of === 'server' ? 'server' : 'oss'
  let failures = 0
  let failuresOfOutage = 0
  let outageBeganMs = 0
  let heardOfOther = false
  function leaveOut(ms: number) {
    // Before the first failure there is nothing to leave it out of.
    if (failuresOfOutage > 0) outageBeganMs += ms
  }
  return {
    leaveOut,
    async aside(run) {
      const sinceMs = clock.nowMs()
      try {
        return await run()
      } finally {
        leaveOut(clock.nowMs() - sinceMs)
      }
    },
    async waitOrThrow(error, failure, signal) {
      if (failure.isUnanswered) news?.unanswered(end)
      failures += 1
      failuresOfOutage += 1
      if (failuresOfOutage === 1) {
        outageBeganMs = clock.nowMs()
        heardOfOther = false
      }
      const elapsedMs = clock.nowMs() - outageBeganMs
      const delayMs = retryDelayMs(policy, failuresOfOutage, elapsedMs, failure, clock.random())
      if (delayMs === null || failures >= policy.maxAttempts) throw error
      onRetry?.({ type: 'retry', of, failures, delayMs, error })
      const sinceMs = clock.nowMs()
      let heard: LineEnd | undefined
      if (news && failure.isUnanswered) heard = await news.rest(delayMs, signal, heardOfOther ? end : undefined)
      else await clock.sleep(delayMs, signal)
      // A wait that was longer than it should be was the machine's sleep.
      outageBeganMs += Math.max(0, clock.nowMs() - sinceMs - delayMs)
      if (heard === end) failuresOfOutage = 0
      else if (heard) heardOfOther = true
    },
  }
}
