import { onAbort } from './abort-link.ts'
import type { Clock } from './clock.ts'
import { ClientException } from './errors.ts'
import type { RetryPolicy } from './retry.ts'
import { createRetryStreak, type RetryNotice } from './retry-streak.ts'

export interface LoadDeps {
  clock: Clock
  retry: RetryPolicy
  onRetry: (notice: RetryNotice) => void
}

/** Loads code that a page did not load at first; an outage is waited out. Throws ClientException `network`, or the signal's reason. */
export async function loadOnline<Code>(load: () => Promise<Code>, deps: LoadDeps, signal: AbortSignal): Promise<Code> {
  const streak = createRetryStreak(deps.clock, deps.retry, 'server', deps.onRetry)
  for (;;) {
    signal.throwIfAborted()
    await streak.aside(() => deps.clock.online(signal))
    try {
      return await unlessAborted(load(), signal)
    } catch (cause) {
      signal.throwIfAborted()
      await streak.waitOrThrow(
        new ClientException('network', 'The code that uploads could not be loaded', { cause }),
        { isUnanswered: true },
        signal,
      )
    }
  }
}

/** An import cannot be stopped, but nobody has to wait for it. */
function unlessAborted<Code>(loading: Promise<Code>, signal: AbortSignal): Promise<Code> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason))
    loading.finally(forget).then(resolve, reject)
  })
}
