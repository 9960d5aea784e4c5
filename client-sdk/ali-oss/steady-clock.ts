import type { Clock } from '../clock.ts'

/**
 * `clock` without steps back. A machine's clock may be set while an upload runs: set forward, credentials look older than they are and are
 * renewed for nothing; set back, they would die unnoticed. The timer behind `performance` cannot be set, but on some platforms stands
 * still while the machine sleeps, so whichever of both has moved further counts.
 */
export function createSteadyClock(clock: Clock): Clock {
  let steadyMs = clock.nowMs()
  let timerMs = performance.now()
  return {
    ...clock,
    nowMs() {
      const passedMs = performance.now() - timerMs
      timerMs += passedMs
      steadyMs = Math.max(clock.nowMs(), steadyMs + passedMs)
      return steadyMs
    },
  }
}
