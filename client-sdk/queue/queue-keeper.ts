import { onAbort } from '../abort-link.ts'
import { cancelled, toException } from '../errors.ts'
import type { UploadProgress } from '../progress.ts'
import type { UploadClient } from '../upload-client.ts'
import type { UploadResult } from '../upload-file.ts'
import { createFileLanes } from './file-lanes.ts'
import { createPartPlaces } from './part-places.ts'
import type { QueueBook } from './queue-book.ts'
import { type Item, type ItemKeeper, isEnd } from './queue-item.ts'

/** Opens the files of a queue when their turn comes, and does with them what callers ask. */
export interface QueueKeeper<Source> extends ItemKeeper<Source> {
  readonly isPaused: boolean
  enter(item: Item<Source>): void
  pauseAll(): void
  resumeAll(): void
}

/** `onEnd` is called after each file that has ended. */
export function createQueueKeeper<Source>(
  client: Pick<UploadClient<Source>, 'upload'>,
  book: QueueBook<Source>,
  parallel: number,
  onEnd: () => void,
): QueueKeeper<Source> {
  const limiter = createPartPlaces(parallel)
  const lanes = createFileLanes<Item<Source>>(parallel)
  let isPaused = false
  let isTurnDue = false

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
            book.show(item, state)
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
      book.show(item, 'preparing')
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
    const more = sentBytes - item.sentBytes
    item.sentBytes = sentBytes
    // An upload that finds another size when it begins again counts from zero.
    book.count(item, Math.max(0, more))
  }

  function end(item: Item<Source>, state: 'completed' | 'failed' | 'cancelled', outcome: unknown) {
    lanes.leave(item)
    item.release()
    if (state === 'completed') {
      item.result = outcome as UploadResult
      item.sizeBytes = item.result.sizeBytes
    } else item.error = toException(outcome)
    book.show(item, state)
    item.settle()
    takeTurn()
    onEnd()
  }

  function line(item: Item<Source>, isFirst: boolean) {
    lanes.wait(item, isFirst)
    book.show(item, 'queued')
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

  async function cancel(item: Item<Source>): Promise<void> {
    if (isEnd(item.state)) return
    if (!item.task) return end(item, 'cancelled', cancelled())
    await item.task.cancel()
  }

  return {
    get isPaused() {
      return isPaused
    },
    enter(item) {
      book.enter(item)
      line(item, false)
      obey(item)
    },
    pause(item) {
      if (isEnd(item.state) || item.isHeld) return
      item.isHeld = true
      lanes.leave(item)
      item.task?.pause()
      book.show(item, 'paused')
      takeTurn()
    },
    resume(item) {
      if (isEnd(item.state) || !item.isHeld) return
      item.isHeld = false
      line(item, true)
    },
    cancel,
    retry(item) {
      if (!book.items.has(item) || (item.state !== 'failed' && item.state !== 'cancelled')) return
      item.reset()
      line(item, false)
      obey(item)
    },
    pauseAll() {
      isPaused = true
      for (const item of lanes.open()) item.task?.pause()
    },
    resumeAll() {
      isPaused = false
      for (const item of lanes.open()) item.task?.resume()
      takeTurn()
    },
  }
}
