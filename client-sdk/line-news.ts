import { linkSignals } from './abort-link.ts'
import type { Clock } from './clock.ts'

/** Where the line leads to: the Partway server, or OSS. */
export type LineEnd = 'server' | 'oss'

/** Ends outages for all who wait them out: what one hears is news for the others. */
export interface LineNews {
  /** An end that gave no answer gives them again. */
  back(end: LineEnd): void
  /**
   * Resolves after `ms`, or as soon as any end is back: mostly it was the device that had no network. True when it is `end` that is back, so
   * that its outage is over. Rejects with the signal's reason.
   */
  rest(end: LineEnd, ms: number, signal: AbortSignal | undefined): Promise<boolean>
}

export function createLineNews(clock: Pick<Clock, 'sleep'>): LineNews {
  const resting = new Set<(end: LineEnd) => void>()
  return {
    back(end) {
      for (const wake of resting) wake(end)
    },
    async rest(end, ms, signal) {
      const link = linkSignals(signal)
      let heard: LineEnd | undefined
      const wake = (from: LineEnd) => {
        heard = from
        link.abort(wake)
      }
      resting.add(wake)
      try {
        await clock.sleep(ms, link.signal)
      } catch (reason) {
        if (reason !== wake) throw reason
      } finally {
        resting.delete(wake)
        link.release()
      }
      return heard === end
    },
  }
}
