import { onAbort } from './abort-link.ts'

/** Time and waiting, so that tests and sleeping laptops have one place to stand. */
export interface Clock {
  /** Milliseconds since 1970 by this machine's clock. */
  nowMs(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** In [0, 1). */
  random(): number
  /** Resolves at once while there is a network or nobody can tell; rejects with the signal's reason when it aborts first. */
  online(signal?: AbortSignal): Promise<void>
}

/** The machine's clock; waits by `setTimeout`. Never believes itself offline. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep,
  random: () => Math.random(),
  online: async () => {},
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    let forget = () => {}
    const timer = setTimeout(() => {
      forget()
      resolve()
    }, ms)
    if (!signal) return
    forget = onAbort(signal, () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}

/**
 * The server's clock as seen from here. Grants expire by it, and this machine's may be hours off. Learned from the Date header of
 * any answer, to the second, or from /v1/time.
 */
export interface ServerClock {
  nowMs(): number
  /** `serverMs` was the server's time somewhere between `askedAtMs` and now. */
  learn(serverMs: number, askedAtMs: number): void
}

export function createServerClock(clock: Clock): ServerClock {
  let offsetMs = 0
  return {
    nowMs: () => clock.nowMs() + offsetMs,
    learn(serverMs, askedAtMs) {
      if (Number.isFinite(serverMs)) offsetMs = serverMs - (askedAtMs + clock.nowMs()) / 2
    },
  }
}
