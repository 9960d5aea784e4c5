import type { Clock } from '../clock.ts'
import { ClientException } from '../errors.ts'
import { unlessAborted } from './unless-aborted.ts'

/** How long a module that cannot be loaded is asked for again. */
const budgetMs = 120_000
const delayCapMs = 10_000

/**
 * A module that is loaded when it is first needed, and kept. Without a network it waits; a load that fails is repeated for two minutes,
 * and again at the next call. Throws ClientException `network`, or the signal's reason.
 */
export function lazyModule<Module>(
  load: () => Promise<Module>,
  clock: Clock,
): (signal?: AbortSignal) => Promise<Module> {
  let loading: Promise<Module> | undefined

  async function loadPatiently(): Promise<Module> {
    const startedAtMs = clock.nowMs()
    for (let failures = 1; ; failures += 1) {
      try {
        return await load()
      } catch (cause) {
        if (clock.nowMs() - startedAtMs > budgetMs) {
          throw new ClientException('network', 'A part of the uploader could not be loaded', { cause })
        }
        await clock.sleep(clock.random() * Math.min(delayCapMs, 400 * 2 ** failures))
        await clock.online()
      }
    }
  }

  return (signal) => {
    loading ??= loadPatiently().catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return unlessAborted(loading, signal)
  }
}
