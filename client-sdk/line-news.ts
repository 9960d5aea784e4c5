import { linkSignals } from './abort-link.ts'
import type { Clock } from './clock.ts'

/** Where the line leads to: the Partway server, or OSS. */
export type LineEnd = 'server' | 'oss'

/** Ends outages for all who wait them out: what one hears is news for the others. */
export interface LineNews {
  /** An attempt that counts got no answer from an end. */
  unanswered(end: LineEnd): void
  /** An end does what it is for: news, if it was lost. An answer like 503 is nothing to tell; a server that is half broken gives those. */
  back(end: LineEnd): void
  /**
   * Resolves after `ms` with undefined, or as soon as an end is back that is none of `ignored`, with its name. Rejects with the signal's
   * reason.
   */
  rest(ms: number, signal: AbortSignal | undefined, ignored?: ReadonlySet<LineEnd>): Promise<LineEnd | undefined>
}

/** Failures in a row, of whoever, that make a lost end: one connection may break on the best of lines. */
const failuresOfALine = 2

export function createLineNews(clock: Pick<Clock, 'sleep'>): LineNews {
  const failures = { server: 0, oss: 0 }
  const resting = new Set<(end: LineEnd) => void>()
  return {
    unanswered(end) {
      failures[end] += 1
    },
    back(end) {
      const wasLost = failures[end] >= failuresOfALine
      failures[end] = 0
      if (wasLost) for (const wake of resting) wake(end)
    },
    async rest(ms, signal, ignored) {
      const link = linkSignals(signal)
      let heard: LineEnd | undefined
      const wake = (end: LineEnd) => {
        if (ignored?.has(end)) return
        heard = end
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
      return heard
    },
  }
}
