import { type ClientException, cancelled, type ServiceException } from '../errors.ts'
import type { UploadProgress } from '../progress.ts'
import type { UploadResult } from '../upload-file.ts'
import type { UploadOptions, UploadTaskState } from '../upload-options.ts'
import type { UploadTask } from '../upload-task.ts'
import type { LaneFile } from './file-lanes.ts'
import type { Share } from './queue-progress.ts'

/** `queued`: not begun yet, or paused, resumed and waiting for its turn again. The others are those of its {@link UploadTask}. */
export type QueueItemState = 'queued' | UploadTaskState

export function isEnd(state: QueueItemState): state is 'completed' | 'failed' | 'cancelled' {
  return state === 'completed' || state === 'failed' || state === 'cancelled'
}

/** One file of a queue. */
export interface QueueItem<Source> {
  /** As it was added. */
  readonly source: Source
  /** The name it was added under, if any; otherwise the source's own counts. */
  readonly fileName: string | undefined
  /** In bytes; undefined while nobody knows. */
  readonly sizeBytes: number | undefined
  /** What is being done with it. */
  readonly state: QueueItemState
  /** How far it is, at this moment. */
  readonly progress: UploadProgress
  /** The upload at work; undefined before its first turn and once it has ended. */
  readonly task: Pick<UploadTask, 'id' | 'parts' | 'progress'> | undefined
  /** Of a completed file. */
  readonly result: UploadResult | undefined
  /** Of a failed or cancelled file. */
  readonly error: ClientException | ServiceException | undefined
  /** How this file ends; after `retry()` there is a new promise. A rejection nobody looks at stays silent. */
  readonly done: Promise<UploadResult>
  /** Drops the requests in flight; another file may begin. Works before its turn, too. Does nothing when the file has ended. */
  pause(): void
  /** Goes on as soon as there is room, before files that were never begun. */
  resume(): void
  /** As {@link UploadTask.cancel}. Before its turn nothing has to be undone. */
  cancel(): Promise<void>
  /** A failed or cancelled file goes to the end of the queue; what OSS has of it is not sent again. */
  retry(): void
}

/** What may be said about one file, beside the limits that are the queue's. */
export type QueueFileOptions = Omit<UploadOptions, 'limiter'>

/** What happens to an item is decided by the queue it is in. */
export interface ItemKeeper<Source> {
  pause(item: Item<Source>): void
  resume(item: Item<Source>): void
  cancel(item: Item<Source>): Promise<void>
  retry(item: Item<Source>): void
}

/** Tens of thousands of these may wait, so they are plain fields and shared methods; promises are made for those who ask. */
export class Item<Source> implements QueueItem<Source>, LaneFile {
  readonly source: Source
  readonly options: QueueFileOptions
  readonly partSizeBytes: number
  readonly parallel: number
  sizeBytes: number | undefined
  state: QueueItemState = 'queued'
  task: UploadTask | undefined
  result: UploadResult | undefined
  error: ClientException | ServiceException | undefined
  /** Paused by itself, whatever the queue is. */
  isHeld = false
  /** What the queue's totals contain of it. */
  share: Share = { totalBytes: 0, currentBytes: 0, isUnsized: false }
  sentBytes = 0
  /** Forgets the caller's signal. */
  forget: (() => void) | undefined
  #last: UploadProgress | undefined
  #done: { promise: Promise<UploadResult>; settle(): void } | undefined
  readonly #keeper: ItemKeeper<Source>

  constructor(
    keeper: ItemKeeper<Source>,
    source: Source,
    sizeBytes: number | undefined,
    options: QueueFileOptions,
    limits: { partSizeBytes: number; parallel: number },
  ) {
    this.#keeper = keeper
    this.source = source
    this.sizeBytes = sizeBytes
    this.options = options
    this.partSizeBytes = limits.partSizeBytes
    this.parallel = limits.parallel
  }

  get fileName(): string | undefined {
    return this.options.fileName
  }

  get progress(): UploadProgress {
    const { task, sizeBytes } = this
    const read = task?.progress ?? this.#last
    // Before the source is open the engine knows no size.
    if (read && (read.totalBytes > 0 || !sizeBytes)) return read
    return {
      currentBytes: 0,
      totalBytes: sizeBytes ?? 0,
      restoredBytes: 0,
      sentBytes: 0,
      bytesPerSecond: 0,
      etaSeconds: null,
    }
  }

  get done(): Promise<UploadResult> {
    this.#done ??= deferred((resolve, reject) => {
      if (this.result) resolve(this.result)
      else if (isEnd(this.state)) reject(this.error ?? cancelled())
    })
    return this.#done.promise
  }

  /** Lets go of the task and all it holds. */
  release(): void {
    this.#last = this.progress
    this.task = undefined
    this.forget?.()
  }

  /** Tells whoever asked for `done`, if it has ended. */
  settle(): void {
    this.#done?.settle()
  }

  /** Back to where it began. */
  reset(): void {
    this.settle()
    this.#last = undefined
    this.#done = undefined
    this.error = undefined
    this.isHeld = false
    this.sentBytes = 0
  }

  pause(): void {
    this.#keeper.pause(this)
  }

  resume(): void {
    this.#keeper.resume(this)
  }

  cancel(): Promise<void> {
    return this.#keeper.cancel(this)
  }

  retry(): void {
    this.#keeper.retry(this)
  }
}

/** A promise that `decide` may settle now, or when `settle` is called. */
function deferred<Value>(decide: (resolve: (value: Value) => void, reject: (error: unknown) => void) => void) {
  let settle = () => {}
  const promise = new Promise<Value>((resolve, reject) => {
    settle = () => decide(resolve, reject)
    settle()
  })
  promise.catch(() => {})
  return { promise, settle: () => settle() }
}
