import { onAbort } from '../abort-link.ts'
import { DEFAULT_PART_BYTES } from '../contract/part-plan.ts'
import { cancelled, toException } from '../errors.ts'
import type { UploadProgress } from '../progress.ts'
import { safeCallback } from '../safe-callback.ts'
import type { UploadClient } from '../upload-client.ts'
import type { UploadResult } from '../upload-file.ts'
import { createFileLanes } from './file-lanes.ts'
import { createPartPlaces } from './part-places.ts'
import { Item, isEnd, type QueueFileOptions, type QueueItem, type QueueItemState } from './queue-item.ts'
import { createQueueMeter, type QueueProgress, type Share } from './queue-progress.ts'
import {
  invalid,
  isAsyncIterable,
  listOfSources,
  type QueueSource,
  type QueueSources,
  readSource,
} from './queue-sources.ts'

export interface QueueOptions<Source> {
  /** Part requests in flight at once over all files: 1 to 32, by default 6. */
  parallel?: number | undefined
  /** How far the whole is, whenever that changes, at most every 100 ms; the last word comes before `idle()` resolves. */
  onChange?: ((progress: QueueProgress) => void) | undefined
  /** A file's state or progress changed; progress as often as its `progressIntervalMs` says, by default every 100 ms. */
  onItemChange?: ((item: QueueItem<Source>) => void) | undefined
}

/**
 * Many files through one client, with one limit for all of them. However many wait, only those whose turn it is are open, hashed and known
 * to the server. Neither small nor big files wait for the other kind.
 */
export interface UploadQueue<Source> {
  /** All that was added and not removed, in that order. */
  readonly items: ReadonlySet<QueueItem<Source>>
  readonly progress: QueueProgress
  readonly isPaused: boolean
  /**
   * Puts files at the end of the queue; `options` are for all of them. An async iterable, such as what `filesOfDrop` gives, is read to its
   * end, its files begin meanwhile, and the promise rejects with what it throws. Throws ClientException `invalid-argument`; what is wrong
   * with a single source, or with options of `upload`, fails that file when its turn comes.
   */
  add(sources: QueueSources<Source>, options?: QueueFileOptions): QueueItem<Source>[]
  add(sources: AsyncIterable<QueueSource<Source>>, options?: QueueFileOptions): Promise<QueueItem<Source>[]>
  /** Drops the requests in flight of all files and begins no other. Files may be added meanwhile. */
  pause(): void
  /** Goes on with all files but those that were paused one by one. */
  resume(): void
  /** Cancels every file that has not ended, and stops reading what is being added. Rejects as a file's `cancel` when one of them does. */
  cancel(): Promise<void>
  /** Forgets a file that has ended. False when it has not, or is none of this queue. */
  remove(item: QueueItem<Source>): boolean
  /** Forgets the completed and cancelled files. Failed ones stay, to be tried again or removed. */
  clearFinished(): void
  /** Resolves when nothing is left to do: every file has ended, and nothing is being added. A paused file is still to be done. */
  idle(): Promise<void>
}

const reportIntervalMs = 100
const nothing = { totalBytes: 0, currentBytes: 0, isUnsized: false }

/** Makes an empty queue. Throws ClientException `invalid-argument`, naming the option. */
export function createUploadQueue<Source>(
  client: Pick<UploadClient<Source>, 'upload'>,
  options: QueueOptions<Source> = {},
): UploadQueue<Source> {
  const parallel = options.parallel ?? 6
  if (typeof client?.upload !== 'function') throw invalid('client', 'must be an upload client')
  if (!Number.isInteger(parallel) || parallel < 1 || parallel > 32) {
    throw invalid('parallel', 'must be a whole number from 1 to 32')
  }
  const tellWhole = safeCallback(options.onChange)
  const tellItem = safeCallback(options.onItemChange)
  const limiter = createPartPlaces(parallel)
  const lanes = createFileLanes<Item<Source>>(parallel)
  const nowMs = () => Date.now()
  const meter = createQueueMeter(nowMs)
  const items = new Set<Item<Source>>()
  const keeper = { pause, resume, cancel, retry }
  let isPaused = false
  let unfinished = 0
  /** What is being added; replaced when the queue is cancelled. */
  let reading = { count: 0 }
  const waiters: (() => void)[] = []
  let reportedAtMs = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setTimeout> | undefined
  let isTurnDue = false

  function report() {
    clearTimeout(timer)
    timer = undefined
    reportedAtMs = nowMs()
    tellWhole(meter.read())
  }

  function changed() {
    const dueInMs = Math.min(reportIntervalMs, reportedAtMs + reportIntervalMs - nowMs())
    timer ??= setTimeout(report, dueInMs)
  }

  function count(item: Item<Source>) {
    const isLost = !items.has(item) || item.state === 'failed' || item.state === 'cancelled'
    const share = isLost ? nothing : shareOf(item)
    meter.shared(item.share, share)
    item.share = share
    changed()
  }

  function show(item: Item<Source>, state: QueueItemState) {
    if (item.state === state) return
    meter.moved(item.state, state)
    item.state = state
    count(item)
    tellItem(item)
  }

  /** Opens whatever may be opened, after the caller's own turn: whoever adds files has them in hand before they begin. */
  function takeTurn() {
    if (isTurnDue) return
    isTurnDue = true
    queueMicrotask(() => {
      isTurnDue = false
      for (let item = isPaused ? undefined : lanes.next(); item; item = isPaused ? undefined : lanes.next()) {
        if (item.task) item.task.resume()
        else begin(item)
      }
    })
  }

  function begin(item: Item<Source>) {
    const { onProgress, onStateChange } = item.options
    try {
      const task = client.upload(item.source, {
        ...item.options,
        parallel: item.parallel,
        limiter,
        signal: undefined,
        onProgress(progress) {
          if (item.task === task) moved(item, progress)
          return onProgress?.(progress)
        },
        onStateChange(state) {
          // Ends are shown when the result is here.
          if (item.task === task && !isEnd(state)) {
            lanes.idle(item, state === 'waiting')
            show(item, state)
            takeTurn()
          }
          return onStateChange?.(state)
        },
      })
      item.task = task
      task.done.then(
        (result) => end(item, 'completed', result),
        (error) => end(item, toException(error).code === 'cancelled' ? 'cancelled' : 'failed', error),
      )
      show(item, 'preparing')
    } catch (error) {
      end(item, 'failed', error)
    }
  }

  function moved(item: Item<Source>, { totalBytes, sentBytes }: UploadProgress) {
    if (item.sizeBytes !== totalBytes) {
      item.sizeBytes = totalBytes
      lanes.resize(item)
      takeTurn()
    }
    meter.sent(sentBytes - item.sentBytes)
    item.sentBytes = sentBytes
    count(item)
    tellItem(item)
  }

  function end(item: Item<Source>, state: 'completed' | 'failed' | 'cancelled', outcome: unknown) {
    lanes.leave(item)
    item.release()
    if (state === 'completed') {
      item.result = outcome as UploadResult
      item.sizeBytes = item.result.sizeBytes
      meter.sent(item.result.sentBytes - item.sentBytes)
    } else item.error = toException(outcome)
    unfinished -= 1
    show(item, state)
    item.settle()
    takeTurn()
    rest()
  }

  /** Tells those who wait for it that nothing is left to do. */
  function rest() {
    if (unfinished + reading.count > 0) return
    if (timer) report()
    for (const resolve of waiters.splice(0)) resolve()
  }

  function pause(item: Item<Source>) {
    if (isEnd(item.state) || item.isHeld) return
    item.isHeld = true
    lanes.leave(item)
    item.task?.pause()
    show(item, 'paused')
    takeTurn()
  }

  function resume(item: Item<Source>) {
    if (isEnd(item.state) || !item.isHeld) return
    item.isHeld = false
    line(item, true)
  }

  async function cancel(item: Item<Source>): Promise<void> {
    if (isEnd(item.state)) return
    if (!item.task) return end(item, 'cancelled', cancelled())
    if (item.state === 'queued') lanes.leave(item)
    await item.task.cancel()
  }

  function retry(item: Item<Source>) {
    if (!items.has(item) || (item.state !== 'failed' && item.state !== 'cancelled')) return
    item.reset()
    unfinished += 1
    line(item, false)
    obey(item)
  }

  function line(item: Item<Source>, isFirst: boolean) {
    lanes.wait(item, isFirst)
    show(item, 'queued')
    takeTurn()
  }

  /** The caller's signal works before a file's turn, too. */
  function obey(item: Item<Source>) {
    const { signal } = item.options
    if (!signal) return
    const stop = () => void cancel(item).catch(() => {})
    if (signal.aborted) stop()
    else item.forget = onAbort(signal, stop)
  }

  function put(entries: QueueSource<Source>[], shared: QueueFileOptions): Item<Source>[] {
    const added = entries.map((entry) => {
      const { source, sizeBytes, options: own } = readSource(entry, shared)
      return new Item(keeper, source, sizeBytes, own, {
        partSizeBytes: own.partSizeBytes ?? DEFAULT_PART_BYTES,
        parallel: Math.min(parallel, own.parallel ?? parallel),
      })
    })
    unfinished += added.length
    for (const item of added) {
      items.add(item)
      meter.moved(undefined, 'queued')
      count(item)
      lanes.wait(item, false)
      obey(item)
    }
    takeTurn()
    return added
  }

  async function putAll(
    entries: AsyncIterable<QueueSource<Source>>,
    shared: QueueFileOptions,
  ): Promise<Item<Source>[]> {
    const added: Item<Source>[] = []
    const mine = reading
    mine.count += 1
    try {
      for await (const entry of entries) {
        if (mine !== reading) break
        added.push(...put([entry], shared))
      }
    } finally {
      mine.count -= 1
      rest()
    }
    return added
  }

  function add(sources: QueueSources<Source>, shared?: QueueFileOptions): Item<Source>[]
  function add(sources: AsyncIterable<QueueSource<Source>>, shared?: QueueFileOptions): Promise<Item<Source>[]>
  function add(sources: QueueSources<Source> | AsyncIterable<QueueSource<Source>>, shared: QueueFileOptions = {}) {
    return isAsyncIterable<QueueSource<Source>>(sources) ? putAll(sources, shared) : put(listOfSources(sources), shared)
  }

  function remove(item: Item<Source>): boolean {
    if (!isEnd(item.state) || !items.delete(item)) return false
    meter.moved(item.state, undefined)
    count(item)
    return true
  }

  return {
    items,
    get progress() {
      return meter.read()
    },
    get isPaused() {
      return isPaused
    },
    add,
    pause() {
      isPaused = true
      for (const item of lanes.open()) item.task?.pause()
    },
    resume() {
      isPaused = false
      for (const item of lanes.open()) item.task?.resume()
      takeTurn()
    },
    async cancel() {
      reading = { count: 0 }
      const outcomes = await Promise.allSettled(Array.from(items, cancel))
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
      rest()
    },
    remove: (item) => item instanceof Item && remove(item),
    clearFinished() {
      for (const item of items) if (item.state !== 'failed') remove(item)
    },
    idle: () =>
      new Promise((resolve) => {
        waiters.push(resolve)
        rest()
      }),
  }
}

/** What a file adds to the whole. */
function shareOf({ sizeBytes, state, progress }: Item<unknown>): Share {
  const totalBytes = sizeBytes ?? 0
  const currentBytes = state === 'completed' ? totalBytes : Math.min(totalBytes, progress.currentBytes)
  return { totalBytes, currentBytes, isUnsized: sizeBytes === undefined }
}
