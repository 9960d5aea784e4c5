import { onAbort } from './abort-link.ts'

/**
 * Keeps one file from being sent twice at once: by two tabs of a browser, or by two tasks of one client. Whoever holds the lock of a file
 * sends it, and tells those who wait how far it is.
 */
export interface UploadLocks {
  /**
   * Resolves with what gives the lock back, when nobody else holds `name` any more. `onWait` is called when somebody does. Rejects with
   * the signal's reason when that aborts first.
   */
  acquire(name: string, signal: AbortSignal, onWait: () => void): Promise<() => void>
  /** The lock if it is free now, otherwise undefined. */
  tryAcquire(name: string): Promise<(() => void) | undefined>
  /** For those who wait for `name`. Must not throw. */
  tell(name: string, news: UploadNews): void
  /** Hears what the holder of `name` tells; the result stops that. News is foreign input: check what it is used for. */
  listen(name: string, onNews: (news: UploadNews) => void): () => void
}

/** How far an upload is that somebody else sends. */
export interface UploadNews {
  /** The upload's id. */
  id: string
  currentBytes: number
  totalBytes: number
  bytesPerSecond: number
  etaSeconds: number | null
}

/** Locks among the tasks of one client. */
export function createMemoryLocks(): UploadLocks {
  const held = new Map<string, (() => void)[]>()
  const listeners = new Map<string, Set<(news: UploadNews) => void>>()

  function take(name: string): () => void {
    if (!held.has(name)) held.set(name, [])
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const next = held.get(name)?.shift()
      if (next) next()
      else held.delete(name)
    }
  }

  return {
    async acquire(name, signal, onWait) {
      signal.throwIfAborted()
      if (!held.has(name)) return take(name)
      onWait()
      await new Promise<void>((resolve, reject) => {
        const forget = onAbort(signal, () => {
          const waiting = held.get(name)
          waiting?.splice(waiting.indexOf(go), 1)
          reject(signal.reason)
        })
        const go = () => {
          forget()
          resolve()
        }
        held.get(name)?.push(go)
      })
      return take(name)
    },
    tryAcquire: async (name) => (held.has(name) ? undefined : take(name)),
    tell(name, news) {
      for (const hear of listeners.get(name) ?? []) hear(news)
    },
    listen(name, onNews) {
      const hearers = listeners.get(name) ?? new Set()
      listeners.set(name, hearers.add(onNews))
      return () => {
        hearers.delete(onNews)
        if (hearers.size === 0) listeners.delete(name)
      }
    },
  }
}
