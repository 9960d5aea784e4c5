import type { PartBody } from '../byte-source.ts'
import type { Clock } from '../clock.ts'
import type { Hashing, PartDigest } from '../hashing.ts'
import { browserClock } from './browser-clock.ts'
import { lazyModule } from './lazy-module.ts'
import { createWorkerHashing, WorkerLost } from './worker-hashing.ts'

/** After a worker was lost, or refused, the next one is tried no sooner than this. */
const pauseMs = 30_000
/** So many in a row, and there will be no more. */
const maxLost = 3

/**
 * Hashes off the main thread, in a worker that comes with the first part and goes when there is nothing to do. Where workers are refused
 * or do not last, on the main thread, a few milliseconds at a time. Both come over the network when they are first needed.
 *
 * A Content-Security-Policy needs `worker-src 'self'` for the worker, `script-src 'self'` for the rest, and 'wasm-unsafe-eval' in
 * `script-src` for WebAssembly, which is about four times as fast as plain JavaScript. The worker's own policy is the one that is sent
 * with its script. Without any of the two it works all the same, only slower.
 */
export function createBrowserHashing(clock: Clock = browserClock): Hashing {
  const workers = createWorkerHashing(
    // Bundlers look for exactly this expression.
    () => new Worker(new URL('./hash-worker.js', import.meta.url), { type: 'module' }),
  )
  const loadMainThread = lazyModule(async () => {
    const { createMainThreadHashing } = await import('./main-thread-hashing.ts')
    return createMainThreadHashing()
  }, clock)
  let lost = 0
  let nextAtMs = 0

  async function inWorker(body: PartBody, withMd5: boolean, signal?: AbortSignal): Promise<PartDigest | undefined> {
    const blob = body.blob?.()
    if (!blob || lost >= maxLost || clock.nowMs() < nextAtMs) return undefined
    try {
      const digest = await workers.digest(blob, withMd5, signal)
      lost = 0
      return digest
    } catch (error) {
      if (!(error instanceof WorkerLost)) throw error
      if (clock.nowMs() >= nextAtMs) lost += 1
      nextAtMs = clock.nowMs() + pauseMs
      return undefined
    }
  }

  return {
    digest: async (body, signal) =>
      (await inWorker(body, true, signal)) ?? (await loadMainThread(signal)).digest(body, signal),
    crc64: async (body, signal) =>
      (await inWorker(body, false, signal))?.crc64 ?? (await loadMainThread(signal)).crc64(body, signal),
  }
}
