import type { Clock } from './clock.ts'
import { ClientException } from './errors.ts'
import type { RetryPolicy } from './retry.ts'
import { createRetryStreak, type RetryNotice } from './retry-streak.ts'

type Engine = typeof import('./upload-file.ts')

let engine: Promise<Engine> | undefined

/** What sends files, apart from what a page loads first. Rejects when it cannot be loaded; the next call tries again. */
export function loadEngine(): Promise<Engine> {
  engine ??= import('./upload-file.ts').catch((error: unknown) => {
    engine = undefined
    throw error
  })
  return engine
}

/** The same, for an upload: an outage is waited out. Throws ClientException `network`, or the signal's reason. */
export async function loadEngineOnline(
  deps: { clock: Clock; retry: RetryPolicy; onRetry: (notice: RetryNotice) => void },
  signal: AbortSignal,
): Promise<Engine> {
  const streak = createRetryStreak(deps.clock, deps.retry, 'server', deps.onRetry)
  for (;;) {
    signal.throwIfAborted()
    await deps.clock.online(signal)
    try {
      return await loadEngine()
    } catch (cause) {
      await streak.waitOrThrow(
        new ClientException('network', 'The code that uploads could not be loaded', { cause }),
        {},
        signal,
      )
    }
  }
}
