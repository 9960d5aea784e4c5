import { createMemoryLocks, type UploadLocks } from '../upload-locks.ts'
import { createNewsChannels } from './news-channels.ts'

/**
 * Locks that hold across the tabs of this origin, by Web Locks: the browser frees those of a tab that is closed or dies. Where they are
 * missing (http pages, old browsers) or refused, only among the tasks of this client.
 */
export function createWebLocks(): UploadLocks {
  const memory = createMemoryLocks()
  const news = createNewsChannels()

  /** Asks for the lock; resolves when it is held, or with undefined where it was asked for `ifAvailable` and is not. */
  function request(name: string, options: LockOptions): Promise<(() => void) | undefined> {
    return new Promise((resolve, reject) => {
      const hold = (lock: Lock | null) => {
        if (!lock) return resolve(undefined)
        return new Promise<void>((release) => {
          resolve(() => {
            news.held(name, false)
            release()
          })
          news.held(name, true)
        })
      }
      // It also rejects when somebody steals the lock; by then nobody listens.
      navigator.locks.request(scoped(name), options, hold).catch(reject)
    })
  }

  /** Sandboxed frames have Web Locks and refuse every use of them. */
  async function orMemory<Result>(work: () => Promise<Result>, instead: () => Promise<Result>): Promise<Result> {
    if (!globalThis.navigator?.locks) return instead()
    try {
      return await work()
    } catch (error) {
      if (error instanceof DOMException && ['SecurityError', 'InvalidStateError'].includes(error.name)) return instead()
      throw error
    }
  }

  return {
    acquire: (name, signal, onWait) =>
      orMemory(
        async () => {
          signal.throwIfAborted()
          const atOnce = await request(name, { ifAvailable: true })
          if (atOnce) return atOnce
          onWait()
          const release = await request(name, { signal })
          return release ?? (() => {})
        },
        () => memory.acquire(name, signal, onWait),
      ),
    tryAcquire: (name) =>
      orMemory(
        () => request(name, { ifAvailable: true }),
        () => memory.tryAcquire(name),
      ),
    tell: (name, told) => news.tell(name, told),
    listen: (name, onNews) => news.listen(name, onNews),
  }
}

/** Apart from the locks of the application the SDK is in. */
function scoped(name: string): string {
  return `partway:${name}`
}
