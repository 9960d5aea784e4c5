import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { onAbort } from '../abort-link.ts'
import type { PartDigest } from '../hashing.ts'
import type { FileRange } from './file-range.ts'
import type { HashNews, HashOrder } from './hash-thread.ts'

/** Hashes ranges of open files beside the thread that sends them. */
export interface ThreadHashing {
  /**
   * MD5 and CRC-64 of a range. Undefined when the caller is to hash it: there is no thread (one processor, a bundle without its script,
   * Node's permission model), it is not ready yet, it is busy or was lost, or the range is small or cannot be read. Throws the signal's
   * reason, once nothing is read any more.
   */
  digest(range: FileRange, signal?: AbortSignal): Promise<PartDigest | undefined>
}

/** Less is hashed sooner than handed over. */
const minBytes = 1_048_576
/** A thread with nothing to do goes after this long. */
const idleMs = 20_000

/** One thread at a time, which takes some 15 MB of memory and is started with the second range: many files have but one part. */
export function createThreadHashing(): ThreadHashing {
  let isUseful: boolean | undefined
  let ranges = 0
  let thread: HashThread | undefined

  function start() {
    try {
      thread = startThread((wasReady) => {
        thread = undefined
        isUseful = wasReady
      })
    } catch {
      isUseful = false
    }
  }

  return {
    async digest(range, signal) {
      signal?.throwIfAborted()
      isUseful ??= availableParallelism() > 1
      if (!isUseful || range.end - range.start < minBytes) return undefined
      ranges += 1
      if (!thread && ranges > 1) start()
      const free = thread?.isFree() ? thread : undefined
      if (!free) return undefined
      const { start: from, end } = range
      const cancelled = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
      const forget = signal ? onAbort(signal, () => void Atomics.store(cancelled, 0, 1)) : () => {}
      const digest = await range.lend((fd) => free.digest({ fd, start: from, end, cancelled })).finally(forget)
      signal?.throwIfAborted()
      return digest
    },
  }
}

interface HashThread {
  isFree(): boolean
  /** Undefined when it is lost meanwhile, too. */
  digest(order: HashOrder): Promise<PartDigest | undefined>
}

/** `ended` is told whether it was ever ready. Throws where no thread can be started. */
function startThread(ended: (wasReady: boolean) => void): HashThread {
  const worker = new Worker(new URL('./hash-thread.js', import.meta.url), {
    // Nothing that this process was told to preload: it would have to be loaded first.
    execArgv: [],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: 2 },
  })
  let isReady = false
  let settle: ((digest: PartDigest | undefined) => void) | undefined
  let idleTimer: ReturnType<typeof setTimeout> | undefined

  /** Keeps no process alive, and goes after a while. */
  function rest() {
    worker.unref()
    clearTimeout(idleTimer)
    idleTimer = setTimeout(() => void worker.terminate(), idleMs).unref()
  }

  worker.on('message', (news: HashNews) => {
    if ('isReady' in news) isReady = true
    else settle?.(news.digest)
    rest()
  })
  // Its end follows, and that is all that matters.
  worker.on('error', () => {})
  worker.once('exit', () => {
    clearTimeout(idleTimer)
    settle?.(undefined)
    ended(isReady)
  })
  worker.unref()

  return {
    isFree: () => isReady && !settle,
    async digest(order) {
      clearTimeout(idleTimer)
      worker.ref()
      worker.postMessage(order)
      const digest = await new Promise<PartDigest | undefined>((resolve) => {
        settle = resolve
      })
      settle = undefined
      return digest
    },
  }
}
