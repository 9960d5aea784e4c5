import { onAbort } from './abort-link.ts'

/** How many parts of one upload are in flight: as many as asked for, fewer on a line that keeps breaking. */
export interface SendWindow {
  /** Resolves with a place when there is one. Rejects with the signal's reason when that aborts first. */
  enter(signal: AbortSignal): Promise<SendPlace>
  /** OSS has a part. Said before its place is given back, as `broke` is: whoever comes next shall know. */
  stored(): void
  /** Those in flight spent so long on what is no outage: their bytes moved, or they waited for something else. */
  leaveOut(ms: number): void
  /** All that was left out so far. */
  leftOutMs(): number
  /** Parts broke more than once, and none was stored since. */
  isDown(): boolean
}

/** A part's place in flight. */
export interface SendPlace {
  /** It got no answer. That of one from before an outage is no news: others have tried the line since. */
  broke(): void
  leave(): void
}

/** One connection may break on the best of lines; the next one says whether it was the line. */
const breaksOfALine = 2
/** Parts stored for each place in the window before it grows by one. */
const partsPerPlace = 4

/**
 * A cut costs what was in flight, all of which is sent again: a window of one loses half a part, one of four loses two. So an outage is
 * probed by one part at a time, after it half the former window opens at once, and the rest bit by bit, as in TCP's congestion control (RFC 5681).
 */
export function createSendWindow(parallel: number): SendWindow {
  let size = parallel
  /** What the window opens to after an outage, part by part. */
  let quickSize = parallel
  let inFlight = 0
  // Those of before an outage hold no place: they may stand still for minutes on connections that died without a word.
  let outages = 0
  let breaks = 0
  let leftOut = 0
  const waiting = new Set<() => void>()

  function admit() {
    for (const go of waiting) {
      if (inFlight >= Math.floor(size)) return
      waiting.delete(go)
      inFlight += 1
      go()
    }
  }

  function broke() {
    breaks += 1
    if (breaks !== breaksOfALine) return
    quickSize = Math.max(1, Math.floor(size / 2))
    size = 1
    outages += 1
    inFlight = 0
  }

  function createPlace(): SendPlace {
    const outagesBefore = outages
    const isOld = () => outagesBefore !== outages
    return {
      broke() {
        if (!isOld()) broke()
      },
      leave() {
        if (!isOld()) inFlight -= 1
        admit()
      },
    }
  }

  return {
    enter: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const forget = onAbort(signal, () => {
          waiting.delete(go)
          reject(signal.reason)
        })
        const go = () => {
          forget()
          resolve(createPlace())
        }
        waiting.add(go)
        admit()
      }),
    stored() {
      breaks = 0
      size = Math.min(parallel, size + (size < quickSize ? 1 : 1 / (partsPerPlace * Math.floor(size))))
      admit()
    },
    leaveOut(ms) {
      leftOut += ms
    },
    leftOutMs: () => leftOut,
    isDown: () => breaks >= breaksOfALine,
  }
}
