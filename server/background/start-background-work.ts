import { setTimeout as delay } from 'node:timers/promises'
import { keepUsage } from '../admin/keep-usage.ts'
import type { Deps } from '../deps.ts'
import { forgetOldRows } from '../uploads/forget-old-rows.ts'
import { recoverUploads } from '../uploads/recover-uploads.ts'
import { lookAtDueUploads, sweepStale } from '../uploads/sweep-stale.ts'
import { warnOfLifecycle } from '../uploads/warn-of-lifecycle.ts'
import { startWebhook } from '../webhook/start-webhook.ts'

const recoverEverySeconds = 30
// Also how soon somebody takes over from a sweep that died.
const lookEverySeconds = 30

/** Work that runs beside requests. */
export interface BackgroundWork {
  /** Resolves when what is under way has come to its end. */
  stop(): Promise<void>
}

/**
 * Recovers uploads at once and every 30 s, asks OSS about those whose daily look is due, and every SWEEP_INTERVAL_SECONDS sweeps stale ones and
 * keeps the record of what uploads hold. Tells the webhook of events, see {@link startWebhook}. Every instance runs it. An error, such as a
 * database that is down, is logged and tried again the next time. Also looks once at the bucket’s lifecycle, see {@link warnOfLifecycle}.
 */
export function startBackgroundWork(deps: Deps): BackgroundWork {
  const stopping = new AbortController()
  // Nobody waits for it: an OSS that does not answer must not hold up a shutdown.
  void warnOfLifecycle(deps)
  const loops = [
    repeat(deps, 'recovery', recoverEverySeconds, stopping.signal, (signal) => recoverUploads(deps, signal)),
    repeat(deps, 'daily look', lookEverySeconds, stopping.signal, (signal) => lookAtDueUploads(deps, signal)),
    repeat(deps, 'sweep', deps.config.uploads.sweepIntervalSeconds, stopping.signal, (signal) => sweep(deps, signal)),
    repeat(deps, 'usage', deps.config.uploads.sweepIntervalSeconds, stopping.signal, (signal) =>
      keepUsage(deps, signal),
    ),
  ]
  const webhook = startWebhook(deps)
  return {
    async stop() {
      stopping.abort()
      await Promise.all([...loops, webhook.stop()])
    },
  }
}

async function sweep(deps: Deps, signal: AbortSignal): Promise<void> {
  try {
    await forgetOldRows(deps, signal)
    deps.metrics.sweepRun('ok', (await sweepStale(deps, signal)).aborted)
  } catch (error) {
    deps.metrics.sweepRun('failed', 0)
    throw error
  }
}

async function repeat(
  deps: Deps,
  name: string,
  everySeconds: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    await work(signal).catch((error: unknown) => deps.log.error({ err: error }, `the ${name} failed`))
    // Instances started together should not work together for ever.
    const jitteredMs = everySeconds * 1000 * (0.9 + Math.random() * 0.2)
    await delay(jitteredMs, undefined, { signal }).catch(() => {})
  }
}
