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
export function loadEngineOnline(deps: LoadDeps, signal: AbortSignal): Promise<Engine> {
  return loadOnline(loadEngine, deps, signal)
}

/** What signs in the client, for uploads that want it. Throws like {@link loadEngineOnline}. */
export function loadStsDesk(deps: LoadDeps, signal: AbortSignal): Promise<typeof import('./sts/sts-desk.ts')> {
  return loadOnline(() => import('./sts/sts-desk.ts'), deps, signal)
}

interface LoadDeps {
  clock: Clock
  retry: RetryPolicy
  onRetry: (notice: RetryNotice) => void
}

async function loadOnline<Code>(load: () => Promise<Code>, deps: LoadDeps, signal: AbortSignal): Promise<Code> {
  const streak = createRetryStreak(deps.clock, deps.retry, 'server', deps.onRetry)
  for (;;) {
    signal.throwIfAborted()
    await deps.clock.online(signal)
    try {
      return await load()
    } catch (cause) {
      await streak.waitOrThrow(
        new ClientException('network', 'The code that uploads could not be loaded', { cause }),
        {},
        signal,
      )
    }
  }
}
