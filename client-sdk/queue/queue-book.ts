import { safeCallback } from '../safe-callback.ts'
import type { Item, QueueItem, QueueItemState } from './queue-item.ts'
import { createQueueMeter, type QueueProgress, type Share } from './queue-progress.ts'

/** All files of a queue, what they come to together, and who is told. */
export interface QueueBook<Source> {
  readonly items: ReadonlySet<Item<Source>>
  /** Adds a file that waits for its turn. */
  enter(item: Item<Source>): void
  /** False when `item` is none of this queue. */
  remove(item: Item<Source>): boolean
  /** Shows `item` in this state, unless it is. */
  show(item: Item<Source>, state: QueueItemState): void
  /** What `item` knows of its size and progress has changed; so many more bytes of it were put on the wire. */
  count(item: Item<Source>, sentBytes: number): void
  read(): QueueProgress
  /** Files by state. */
  counts(): Readonly<QueueProgress['files']>
  /** Tells at once what has not been told yet. */
  flush(): void
}

export interface BookCallbacks<Source> {
  onChange?: ((progress: QueueProgress) => void) | undefined
  onItemChange?: ((item: QueueItem<Source>) => void) | undefined
}

const reportIntervalMs = 100
const nothing: Share = { totalBytes: 0, currentBytes: 0, isUnsized: false }

export function createQueueBook<Source>({ onChange, onItemChange }: BookCallbacks<Source>): QueueBook<Source> {
  const items = new Set<Item<Source>>()
  const meter = createQueueMeter(() => Date.now())
  const tellWhole = safeCallback(onChange)
  const tellItem = safeCallback(onItemChange)
  let reportedAtMs = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function report() {
    clearTimeout(timer)
    timer = undefined
    reportedAtMs = Date.now()
    tellWhole(meter.read())
  }

  function recount(item: Item<Source>) {
    const share = items.has(item) ? shareOf(item) : nothing
    meter.shared(item.share, share)
    item.share = share
    // The machine's clock may have been put back meanwhile.
    timer ??= setTimeout(report, Math.min(reportIntervalMs, reportedAtMs + reportIntervalMs - Date.now()))
  }

  return {
    items,
    enter(item) {
      items.add(item)
      meter.moved(undefined, item.state)
      recount(item)
    },
    remove(item) {
      if (!items.delete(item)) return false
      meter.moved(item.state, undefined)
      recount(item)
      return true
    },
    show(item, state) {
      if (item.state === state) return
      meter.moved(item.state, state)
      item.state = state
      recount(item)
      tellItem(item)
    },
    count(item, sentBytes) {
      meter.sent(sentBytes)
      recount(item)
      tellItem(item)
    },
    read: meter.read,
    counts: () => meter.files,
    flush: () => timer && report(),
  }
}

/** What a file adds to the whole. */
function shareOf({ sizeBytes, state, progress }: Item<unknown>): Share {
  if (state === 'failed' || state === 'cancelled') return nothing
  const totalBytes = sizeBytes ?? 0
  const currentBytes = state === 'completed' ? totalBytes : Math.min(totalBytes, progress.currentBytes)
  return { totalBytes, currentBytes, isUnsized: sizeBytes === undefined }
}
