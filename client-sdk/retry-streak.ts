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
 * Where no answer came, `news` of an end's return ends a wait, once for each end: mostly it was the line. What fails all the same is left to
 * its back-offs from then on; woken by each success of the others it would use up its attempts in seconds.
 */
export function createRetryStreak(
  clock: Clock,
  policy: RetryPolicy,
  of: RetryNotice['of'],
  onRetry?: (notice: RetryNotice) => void,
  news?: LineNews,
): RetryStreak {
  const heard = new Set<LineEnd>()
  let failures = 0
  let outageBeganMs = 0
  function leaveOut(ms: number) {
    // Before the first failure there is nothing to leave it out of.
    if (failures > 0) outageBeganMs += ms
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
      if (failure.isUnanswered) news?.unanswered(of === 'server' ? 'server' : 'oss')
      failures += 1
      if (failures === 1) outageBeganMs = clock.nowMs()
      const delayMs = retryDelayMs(policy, failures, clock.nowMs() - outageBeganMs, failure, clock.random())
      if (delayMs === null) throw error
      onRetry?.({ type: 'retry', of, failures, delayMs, error })
      const sinceMs = clock.nowMs()
      if (news && failure.isUnanswered) {
        const end = await news.rest(delayMs, signal, heard)
        if (end) heard.add(end)
      } else await clock.sleep(delayMs, signal)
      // A wait that was longer than it should be was the machine's sleep.
      outageBeganMs += Math.max(0, clock.nowMs() - sinceMs - delayMs)
    },
  }
}
