/** How fast bytes leave one connection for good: what the system's buffers have swallowed is not there yet. */
export interface LineSpeed {
  /** A part of `sizeBytes` was answered `elapsedMs` after its first byte. */
  stored(sizeBytes: number, elapsedMs: number): void
  /**
   * How long the bytes may take that an attempt has handed over but that may still lie in buffers on this side, in ms: nothing while no
   * speed is known, never over {@link longestWaitMs}.
   */
  drainMs(sentBytes: number, elapsedMs: number): number
}

/** What a system keeps of a connection at most before it makes the sender wait: Linux lets the send buffer grow to 4 MiB. */
const bufferedBytes = 4 * 1_048_576
/** Smaller parts tell more of the round trip than of the line. */
const tellingBytes = 1_048_576
/** A line may be this much slower than it was. */
const slack = 2
/** No silence is waited for longer than this: a line that died, or a laptop that slept, must be noticed. */
export const longestWaitMs = 5 * 60_000

/** One for all parts of an upload: what one connection has shown helps the next. */
export function createLineSpeed(): LineSpeed {
  let known: number | undefined
  return {
    stored(sizeBytes, elapsedMs) {
      if (sizeBytes >= tellingBytes) known = sizeBytes / Math.max(1, elapsedMs)
    },
    drainMs(sentBytes, elapsedMs) {
      const gone = (sentBytes - bufferedBytes) / Math.max(1, elapsedMs)
      const bytesPerMs = Math.min(gone > 0 ? gone : Number.POSITIVE_INFINITY, known ?? Number.POSITIVE_INFINITY)
      return Math.min(longestWaitMs, (slack * Math.min(sentBytes, bufferedBytes)) / bytesPerMs)
    },
  }
}
