/** Keeps callers from a service that cannot answer, so that they hear so at once and the service can recover. */
export interface CircuitBreaker {
  /** 0: a call may be made, and its end must be reported. Otherwise nobody should call for so many milliseconds. */
  pauseMs(): number
  /** The service answered. */
  succeeded(): void
  /** It did not. `isCertain`: nor will it for anybody else, so there is no need to see that more often. */
  failed(isCertain?: boolean): void
}

export interface CircuitBreakerOptions {
  now: () => Date
  random: () => number
}

const failuresBeforePause = 3
const firstPauseMs = 1_000
// Also how long after the end of an outage somebody may still be turned away.
const longestPauseMs = 30_000
const probePauseMs = 1_000
// Longer than a call may take: a probe whose end nobody reported must not keep everybody out.
const longestProbeMs = 30_000

/**
 * Closed until {@link failuresBeforePause} failures come one after the other; then open for a pause that doubles, with jitter, from one
 * second to thirty; then one call is let through as a probe, and its outcome decides for all.
 */
export function createCircuitBreaker({ now, random }: CircuitBreakerOptions): CircuitBreaker {
  let failures = 0
  let pauses = 0
  let openUntilMs = 0
  let probeUntilMs = 0

  return {
    pauseMs() {
      const nowMs = now().getTime()
      if (pauses === 0) return 0
      if (nowMs < openUntilMs) return openUntilMs - nowMs
      if (nowMs < probeUntilMs) return probePauseMs
      probeUntilMs = nowMs + longestProbeMs
      return 0
    },
    succeeded() {
      failures = 0
      pauses = 0
      probeUntilMs = 0
    },
    failed(isCertain = false) {
      failures++
      probeUntilMs = 0
      const nowMs = now().getTime()
      // Calls that were under way when the pause began say nothing new.
      const isPaused = nowMs < openUntilMs
      if (isPaused || (pauses === 0 && !isCertain && failures < failuresBeforePause)) return
      const pauseMs = Math.min(firstPauseMs * 2 ** pauses, longestPauseMs)
      pauses = Math.min(pauses + 1, 30)
      openUntilMs = nowMs + pauseMs * (0.5 + random() / 2)
    },
  }
}
