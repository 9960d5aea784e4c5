import {
  ClientException,
  type PartLimiter,
  partRange,
  planParts,
  type UploadClient,
  type UploadOptions,
  type UploadProgress,
  type UploadResult,
  type UploadTask,
  type UploadTaskState,
} from '@partway/client'
import { vi } from 'vitest'
import { onAbort } from '../../client-sdk/abort-link.ts'
import { safeCallback } from '../../client-sdk/safe-callback.ts'

export const MiB = 1_048_576
export const GiB = 1024 * MiB
const paused = new Error('paused')

/** A file that exists only as numbers. */
export interface ImaginedFile {
  name: string
  size: number
  /** So many of its uploads fail, with their first part or with `failsAt`. */
  failures?: number
  failsAt?: number
  /** Its upload first waits for somebody else's. */
  waitsFor?: Promise<void>
}

export interface QueueWorld {
  client: Pick<UploadClient<ImaginedFile | { file: ImaginedFile }>, 'upload'>
  /** What happened when: `create`, `part`, `complete`, by file name, with the time since the beginning. */
  events: { name: string; event: 'create' | 'part' | 'complete'; atMs: number }[]
  /** Part requests in flight, and files with a task that is neither paused nor over. */
  now: { parts: number; files: number }
  most: { parts: number; files: number }
  /** Part requests begun. */
  partsOf(name: string): number
  firstAtMs(name: string, event: 'create' | 'part' | 'complete'): number
  /** Lets time pass. Needs fake timers. */
  pass(ms: number): Promise<void>
}

/**
 * A client that sends nothing: each of its uploads takes a round trip to begin, one and a bit for every part, and one to complete, as the
 * real ones do. Time is vitest's.
 */
export function createQueueWorld({ roundTripMs = 50, bytesPerMs = 5000 } = {}): QueueWorld {
  const startedAtMs = Date.now()
  const events: QueueWorld['events'] = []
  const now = { parts: 0, files: 0 }
  const most = { parts: 0, files: 0 }
  const note = (name: string, event: QueueWorld['events'][number]['event']) =>
    void events.push({ name, event, atMs: Date.now() - startedAtMs })
  const change = (what: 'parts' | 'files', by: number) => {
    now[what] += by
    most[what] = Math.max(most[what], now[what])
  }

  function upload(given: ImaginedFile | { file: ImaginedFile }, options: UploadOptions = {}): UploadTask {
    const file = 'file' in given ? given.file : given
    if (options.partSizeBytes === 0) throw new ClientException('invalid-argument', 'partSizeBytes must be more')
    const onStateChange = safeCallback(options.onStateChange)
    const onProgress = safeCallback(options.onProgress)
    const canceller = new AbortController()
    let pauser = new AbortController()
    let resumed = () => {}
    let opened = Promise.resolve()
    let phase: Exclude<UploadTaskState, 'paused'> = 'preparing'
    let isBusy = false
    let shown: UploadTaskState = phase
    let storedBytes = 0
    let sentBytes = 0
    let isOpen = false
    const isOver = () => ['completed', 'failed', 'cancelled'].includes(phase)

    const show = () => {
      const state = pauser.signal.aborted && !isOver() ? 'paused' : phase
      const isBusyNow = state !== 'paused' && state !== 'waiting' && !isOver()
      if (isBusyNow !== isBusy) change('files', isBusyNow ? 1 : -1)
      isBusy = isBusyNow
      if (state === shown) return
      shown = state
      onStateChange(state)
    }
    const setPhase = (next: typeof phase) => {
      phase = next
      show()
    }
    const progress = (): UploadProgress => ({
      currentBytes: storedBytes,
      totalBytes: isOpen ? file.size : 0,
      restoredBytes: 0,
      sentBytes,
      bytesPerSecond: 0,
      etaSeconds: null,
    })
    const plan = planParts(file.size, options.partSizeBytes)
    let next = 1
    const again: number[] = []

    async function sender(limiter: PartLimiter | undefined) {
      for (;;) {
        await opened
        canceller.signal.throwIfAborted()
        const partNumber = again.pop() ?? (next <= plan.partCount ? next++ : undefined)
        if (partNumber === undefined) return
        const free = (await limiter?.acquire(task, canceller.signal)) ?? (() => {})
        const { start, end } = partRange(plan, partNumber)
        change('parts', 1)
        note(file.name, 'part')
        try {
          await pass(roundTripMs + (end - start) / bytesPerMs, canceller.signal, pauser.signal)
          if (file.failures && partNumber >= (file.failsAt ?? 1)) {
            file.failures -= 1
            throw new ClientException('network', `${file.name} cannot be sent`)
          }
          storedBytes += end - start
          sentBytes += end - start
          onProgress(progress())
        } catch (error) {
          if (error !== paused) throw error
          again.push(partNumber)
        } finally {
          change('parts', -1)
          free()
        }
      }
    }

    async function work(): Promise<UploadResult> {
      show()
      try {
        if (file.waitsFor !== undefined) {
          setPhase('waiting')
          await file.waitsFor
        }
        note(file.name, 'create')
        await pass(roundTripMs, canceller.signal)
        isOpen = true
        onProgress(progress())
        setPhase('sending')
        await Promise.all(Array.from({ length: options.parallel ?? 4 }, () => sender(options.limiter)))
        setPhase('completing')
        note(file.name, 'complete')
        await pass(roundTripMs, canceller.signal)
        setPhase('completed')
        return {
          id: 'upl',
          key: file.name,
          etag: '',
          crc64: '0',
          sizeBytes: file.size,
          sentBytes,
          callbackResult: null,
        }
      } catch (error) {
        setPhase(canceller.signal.aborted ? 'cancelled' : 'failed')
        throw error
      }
    }

    const task: UploadTask = {
      // Assigned below: what runs needs the task first.
      done: Promise.resolve().then(work),
      get state() {
        return shown
      },
      get progress() {
        return progress()
      },
      parts: undefined,
      id: undefined,
      get isCompleted() {
        return isOver()
      },
      get isCanceled() {
        return canceller.signal.aborted
      },
      waitUntilFinished: () =>
        task.done.then(
          () => {},
          () => {},
        ),
      getResult: () => task.done,
      pause() {
        if (isOver() || pauser.signal.aborted) return
        opened = new Promise((resolve) => {
          resumed = resolve
        })
        pauser.abort(paused)
        show()
      },
      resume() {
        if (!pauser.signal.aborted) return
        pauser = new AbortController()
        resumed()
        show()
      },
      async cancel() {
        canceller.abort(new ClientException('cancelled', 'cancelled'))
        resumed()
        await task.done.catch(() => {})
      },
    }
    task.done.catch(() => {})
    return task
  }

  return {
    client: { upload },
    events,
    now,
    most,
    partsOf: (name) => events.filter((entry) => entry.name === name && entry.event === 'part').length,
    firstAtMs: (name, event) =>
      events.find((entry) => entry.name === name && entry.event === event)?.atMs ?? Number.POSITIVE_INFINITY,
    async pass(ms) {
      await vi.advanceTimersByTimeAsync(ms)
    },
  }
}

function pass(ms: number, ...signals: AbortSignal[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    for (const signal of signals) {
      if (signal.aborted) reject(signal.reason)
      onAbort(signal, () => {
        clearTimeout(timer)
        reject(signal.reason)
      })
    }
  })
}

/** Files by name and size. */
export function imagine(count: number, name: string, size: number): ImaginedFile[] {
  return Array.from({ length: count }, (_, index) => ({ name: `${name}-${index}`, size }))
}
