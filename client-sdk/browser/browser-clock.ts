import { onAbort } from '../abort-link.ts'
import { type Clock, systemClock } from '../clock.ts'

/** A frozen page misses events: it is looked again this often. */
const lookMs = 5000

/** The system's clock, and `online()` waits while the browser knows that there is no network. */
export const browserClock: Clock = { ...systemClock, online }

async function online(signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  if (navigator.onLine !== false) return
  await new Promise<void>((resolve, reject) => {
    const end = (settle: () => void) => {
      clearInterval(timer)
      removeEventListener('online', look)
      forget()
      settle()
    }
    const look = () => {
      if (navigator.onLine) end(resolve)
    }
    const forget = signal ? onAbort(signal, () => end(() => reject(signal.reason))) : () => {}
    const timer = setInterval(look, lookMs)
    addEventListener('online', look)
  })
}
