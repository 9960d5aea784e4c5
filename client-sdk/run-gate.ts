import { onAbort } from './abort-link.ts'

/** Why requests in flight are dropped by a pause. Never reaches a caller. */
export const pausedReason = Symbol('paused')

/** Open while the upload runs, shut while it is paused. */
export interface RunGate {
  readonly isPaused: boolean
  /** Aborts with {@link pausedReason} at the next pause. */
  readonly signal: AbortSignal
  pause(): void
  resume(): void
  /** Resolves when the gate is open; rejects with the signal's reason when it aborts first. */
  opened(signal: AbortSignal): Promise<void>
}

export function createRunGate(): RunGate {
  let controller = new AbortController()
  let waiting: (() => void)[] = []
  return {
    get isPaused() {
      return controller.signal.aborted
    },
    get signal() {
      return controller.signal
    },
    pause() {
      controller.abort(pausedReason)
    },
    resume() {
      if (!controller.signal.aborted) return
      controller = new AbortController()
      for (const go of waiting.splice(0)) go()
    },
    async opened(signal) {
      signal.throwIfAborted()
      while (controller.signal.aborted) {
        await new Promise<void>((resolve, reject) => {
          const forget = onAbort(signal, () => {
            waiting = waiting.filter((other) => other !== go)
            reject(signal.reason)
          })
          const go = () => {
            forget()
            resolve()
          }
          waiting.push(go)
        })
      }
    },
  }
}
