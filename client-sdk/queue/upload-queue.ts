import { DEFAULT_PART_BYTES } from '../contract/part-plan.ts'
import type { UploadClient } from '../upload-client.ts'
import { createQueueBook } from './queue-book.ts'
import { Item, isEnd, type QueueFileOptions, type QueueItem } from './queue-item.ts'
import { createQueueKeeper } from './queue-keeper.ts'
import type { QueueProgress } from './queue-progress.ts'
import {
  invalid,
  isAsyncIterable,
  listOfSources,
  type QueueSource,
  type QueueSources,
  readSource,
} from './queue-sources.ts'

/** The limits of a queue, and who hears of it. */
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
  /** How far the whole is, at this moment. */
  readonly progress: QueueProgress
  /** Whether `pause()` holds for the whole queue; single files may be paused beside that. */
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

/** Makes an empty queue. Throws ClientException `invalid-argument`, naming the option. */
export function createUploadQueue<Source>(
  client: Pick<UploadClient<Source>, 'upload'>,
  options: QueueOptions<Source> = {},
): UploadQueue<Source> {
  const { parallel = 6 } = options
  if (typeof client?.upload !== 'function') throw invalid('client', 'must be an upload client')
  if (!Number.isInteger(parallel) || parallel < 1 || parallel > 32) {
    throw invalid('parallel', 'must be a whole number from 1 to 32')
  }
  const book = createQueueBook(options)
  const keeper = createQueueKeeper(client, book, parallel, rest)
  const waiters: (() => void)[] = []
  /** What is being added; replaced when the queue is cancelled. */
  let reading = { count: 0 }

  /** Tells those who wait for it that nothing is left to do. */
  function rest() {
    const { total, completed, failed, cancelled } = book.counts()
    if (total > completed + failed + cancelled || reading.count > 0) return
    book.flush()
    for (const resolve of waiters.splice(0)) resolve()
  }

  function addAll(entries: QueueSource<Source>[], shared: QueueFileOptions): Item<Source>[] {
    const added = entries.map((entry) => {
      const { source, sizeBytes, options: own } = readSource(entry, shared)
      return new Item(keeper, source, sizeBytes, own, {
        partSizeBytes: own.partSizeBytes ?? DEFAULT_PART_BYTES,
        parallel: Math.min(parallel, own.parallel ?? parallel),
      })
    })
    for (const item of added) keeper.enter(item)
    return added
  }

  async function addEach(entries: AsyncIterable<QueueSource<Source>>, shared: QueueFileOptions) {
    const added: Item<Source>[] = []
    const mine = reading
    mine.count += 1
    try {
      for await (const entry of entries) {
        if (mine !== reading) break
        added.push(...addAll([entry], shared))
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
    if (isAsyncIterable<QueueSource<Source>>(sources)) return addEach(sources, shared)
    return addAll(listOfSources(sources), shared)
  }

  const remove = (item: QueueItem<Source>) => item instanceof Item && isEnd(item.state) && book.remove(item)

  return {
    items: book.items,
    get progress() {
      return book.read()
    },
    get isPaused() {
      return keeper.isPaused
    },
    add,
    pause: keeper.pauseAll,
    resume: keeper.resumeAll,
    async cancel() {
      reading = { count: 0 }
      const outcomes = await Promise.allSettled(Array.from(book.items, keeper.cancel))
      rest()
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    },
    remove,
    clearFinished() {
      for (const item of book.items) if (item.state !== 'failed') remove(item)
    },
    idle: () =>
      new Promise((resolve) => {
        waiters.push(resolve)
        rest()
      }),
  }
}
