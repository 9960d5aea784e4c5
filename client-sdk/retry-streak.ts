import type { Clock } from './clock.ts'
import type { ClientException, ServiceException } from './errors.ts'
import { type FailedAttempt, type RetryPolicy, retryDelayMs } from './retry.ts'

/** What a caller is told before a wait. */
export interface RetryNotice {
  type: 'retry'
  /** `server`, or the part that is being sent. */
  of: 'server' | number
  /** Failures in a row so far. */
  failures: number
  /** The wait that follows. */
  delayMs: number
  /** The last failure. */
  error: ClientException | ServiceException
}

/** Failures in a row of one thing that is tried again: a request, a part. */
export interface RetryStreak {
  /** The last `ms` were no part of an outage: bytes moved, or nothing was to be sent. */
  leaveOut(ms: number): void
  /**
   * Waits until the next attempt is due, or throws `error` when there should be none. `rest` is another way to wait: it says with true
   * that the outage is over. The next one has its own time then, and its back-offs begin small; attempts are counted on.
   */
  waitOrThrow(
    error: ClientException | ServiceException,
    failure: FailedAttempt,
    signal: AbortSignal | undefined,
    rest?: (ms: number) => Promise<boolean>,
  ): Promise<void>
}

export function createRetryStreak(
  clock: Clock,
  policy: RetryPolicy,
  of: RetryNotice['of'],
  onRetry?: (notice: RetryNotice) => void,
): RetryStreak {
  let failures = 0
  let failuresOfOutage = 0
  let outageBeganMs = 0
  return {
    leaveOut(ms) {
      // Before the first failure there is nothing to leave it out of.
      if (failuresOfOutage > 0) outageBeganMs += ms
    },
    async waitOrThrow(error, failure, signal, rest) {
      failures += 1
      failuresOfOutage += 1
      if (failuresOfOutage === 1) outageBeganMs = clock.nowMs()
      const elapsedMs = clock.nowMs() - outageBeganMs
      const delayMs = retryDelayMs(policy, failuresOfOutage, elapsedMs, failure, clock.random())
      if (delayMs === null || failures >= policy.maxAttempts) throw error
      onRetry?.({ type: 'retry', of, failures, delayMs, error })
      if (!rest) await clock.sleep(delayMs, signal)
      else if (await rest(delayMs)) failuresOfOutage = 0
    },
  }
}
