import { linkSignals } from './abort-link.ts'
import type { Clock } from './clock.ts'

/** Where the line leads to: the Partway server, or OSS. */
export type LineEnd = 'server' | 'oss'

/** Ends outages for all who wait them out: what one hears is news for the others. */
export interface LineNews {
  /** An end gave no answer. */
  lost(end: LineEnd): void
  /** An end does what it is for. That is news if it was lost; an answer like 503 is none: a server that is half broken gives those. */
  back(end: LineEnd): void
  /** Resolves after `ms` with undefined, or as soon as an end is back, with its name; `only` listens to one. Rejects with the signal's reason. */
  rest(ms: number, signal: AbortSignal | undefined, only?: LineEnd): Promise<LineEnd | undefined>
}

export function createLineNews(clock: Pick<Clock, 'sleep'>): LineNews {
  const lost = new Set<LineEnd>()
  const resting = new Set<(end: LineEnd) => void>()
  return {
    lost: (end) => void lost.add(end),
    back(end) {
      if (lost.delete(end)) for (const wake of resting) wake(end)
    },
    async rest(ms, signal, only) {
      const link = linkSignals(signal)
      let heard: LineEnd | undefined
      const wake = (end: LineEnd) => {
        if (only && end !== only) return
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
