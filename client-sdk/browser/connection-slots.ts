import { linkSignals } from '../abort-link.ts'
import type { UploadLocks } from '../upload-locks.ts'

/** Whose turn it is to use one of the browser's connections to a host. */
export interface ConnectionSlots {
  /** Resolves with what gives the slot back, when one is free. Rejects with the signal's reason when that aborts first. */
  take(origin: string, signal: AbortSignal): Promise<() => void>
}

/** What browsers open to a host over HTTP/1.1, for all tabs of a site together. */
const connectionsPerHost = 6
/** Tabs that were put to sleep may hold theirs for long. Then it is better to go and see. */
const patienceMs = 120_000

/**
 * Slots that all tabs of this origin share. A request too many waits inside the browser, where it cannot be told from one that has stalled,
 * and would be given up for it on a slow line.
 */
export function createConnectionSlots(locks: UploadLocks): ConnectionSlots {
  return {
    async take(origin, signal) {
      const names = Array.from({ length: connectionsPerHost }, (_, index) => `connection ${index} to ${origin}`)
      for (const name of names) {
        const release = await locks.tryAcquire(name)
        if (release) return release
      }
      return firstFree(locks, names, signal)
    },
  }
}

function firstFree(locks: UploadLocks, names: string[], signal: AbortSignal): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const link = linkSignals(signal)
    let isOver = false
    const end = (settle: () => void) => {
      isOver = true
      clearTimeout(timer)
      settle()
      // The others need not be waited for.
      link.abort(undefined)
      link.release()
    }
    const timer = setTimeout(() => end(() => resolve(() => {})), patienceMs)
    for (const name of names) {
      locks
        .acquire(name, link.signal, () => {})
        .then(
          (release) => {
            if (isOver) release()
            else end(() => resolve(release))
          },
          (error) => {
            if (!isOver) end(() => reject(error))
          },
        )
    }
  })
}
