import type { ByteSource } from './byte-source.ts'
import { ClientException, cancelled, isServerProblem, toException } from './errors.ts'
import { createProgressMeter, type PartsProgress, type UploadProgress } from './progress.ts'
import { createProgressReports } from './progress-reports.ts'
import { createRunGate } from './run-gate.ts'
import type { UploadApi } from './upload-api.ts'
import type { UploadFileDeps, UploadResult, UploadRun, uploadFile } from './upload-file.ts'
import type { ResolvedOptions, UploadTaskState } from './upload-options.ts'

/** An upload under way. */
export interface UploadTask {
  /** The result, or a ClientException or ServiceException. May be ignored: a rejection nobody looks at stays silent. */
  readonly done: Promise<UploadResult>
  /** What is being done. */
  readonly state: UploadTaskState
  /** How far it is, at this moment. */
  readonly progress: UploadProgress
  /** How far each part is, once the plan is known. */
  readonly parts: PartsProgress | undefined
  /** The upload's id, once there is one. */
  readonly id: string | undefined
  /** Whether it has ended, however: with its result, by an error, or cancelled. */
  readonly isCompleted: boolean
  /** Whether it was cancelled before it had ended; what was in flight may still be stopping. */
  readonly isCanceled: boolean
  /** Resolves when it has ended, however: ask {@link getResult} for the outcome. */
  waitUntilFinished(): Promise<void>
  /** The same as {@link done}. */
  getResult(): Promise<UploadResult>
  /** Drops the parts in flight, and what is asked for them; whole parts already sent stay. Does nothing when the task has ended. */
  pause(): void
  /** Goes on with the parts that are missing. Does nothing unless paused. */
  resume(): void
  /**
   * Stops everything. With `deleteUploadOnCancelling` the upload is aborted on the server and its record deleted, unless it was found by
   * its fingerprint only and not yet compared with the source: then it may be another file's. Resolves when nothing is in flight;
   * `done` rejects with `cancelled`. A completed upload stays: where its result was here first, `done` and this resolve as if
   * nothing had been said; where the server completed it unheard, this rejects with its problem `upload-state-conflict`. Also
   * rejects when the server could not be told.
   */
  cancel(): Promise<void>
}

/** Deleting must not keep a caller waiting who wants to stop. */
const abortMs = 15_000
const abortCall = { timeoutMs: 10_000, retry: { baseMs: 200, capMs: 2000, maxAttempts: 8, budgetMs: 10_000 } }

export interface UploadTaskDeps extends UploadFileDeps {
  server: string
  openSource(signal: AbortSignal): Promise<ByteSource>
  /** Gives what does the work; it may have to come over the network. */
  loadEngine(signal: AbortSignal): Promise<{ uploadFile: typeof uploadFile }>
}

/** Starts at once. */
export function startUploadTask(deps: UploadTaskDeps, options: ResolvedOptions): UploadTask {
  const canceller = new AbortController()
  const checkpoints = new AbortController()
  const gate = createRunGate()
  let phase: Exclude<UploadTaskState, 'paused'> = 'preparing'
  let cleanup: Promise<void> | undefined
  const isOver = () => phase === 'completed' || phase === 'failed' || phase === 'cancelled'

  const stateOf = (): UploadTaskState => (gate.isPaused && !isOver() ? 'paused' : phase)
  let shown: UploadTaskState = phase
  const showState = () => {
    const state = stateOf()
    if (state === shown) return
    shown = state
    options.onStateChange(state)
  }

  const tellProgress = (progress: UploadProgress) => {
    run.share?.(progress)
    // Also what an asynchronous callback throws is caught.
    return options.onProgress?.(progress)
  }
  const meterFor = (sizeBytes: number) => {
    const meter = createProgressMeter(sizeBytes, deps.clock.nowMs)
    const reports = createProgressReports(meter, tellProgress, options.progressIntervalMs, deps.clock.nowMs)
    return { meter, reports }
  }
  let sizeBytes: number | undefined
  const run: UploadRun = {
    signal: canceller.signal,
    checkpointSignal: checkpoints.signal,
    gate,
    ...meterFor(0),
    begin(size) {
      if (size !== sizeBytes) Object.assign(run, meterFor(size))
      sizeBytes = size
    },
    setPhase(next) {
      phase = next
      showState()
    },
    notify: options.onNotice,
  }

  /** What a cancel leaves behind, on the server and in the record store. */
  async function cleanUp(): Promise<void> {
    if (!options.deleteUploadOnCancelling) return
    checkpoints.abort()
    const recordedId = (await run.record?.load())?.id
    // Cancelled before the upload was found: the record still knows which one it would have been, unless a fresh one was wanted.
    const id = run.upload?.id ?? (options.resume ? recordedId : undefined)
    if (id === undefined || run.isOurs === false) return
    await abortUnlessGone(deps.api, id)
    if (recordedId === id) await run.record?.delete()
  }

  async function work(): Promise<UploadResult> {
    try {
      const engine = await deps.loadEngine(canceller.signal)
      const result = await engine.uploadFile(deps, options, run)
      run.setPhase('completed')
      return result
    } catch (error) {
      const exception = canceller.signal.aborted ? cancelled() : toException(error)
      if (canceller.signal.aborted) {
        cleanup = cleanUp()
        await cleanup.catch(() => {})
      }
      // So that the next run, on whatever device, sees on the server how far this one came.
      await flushSoon(run, checkpoints)
      run.setPhase(exception.code === 'cancelled' ? 'cancelled' : 'failed')
      throw exception
    } finally {
      options.signal?.removeEventListener('abort', cancelQuietly)
      forgetHide?.()
      run.unlock?.()
    }
  }

  const cancelQuietly = () => void cancel().catch(() => {})
  async function cancel(): Promise<void> {
    if (isOver()) return
    canceller.abort(cancelled())
    await done.catch(() => {})
    await cleanup
  }

  if (options.signal?.aborted) canceller.abort(cancelled())
  else options.signal?.addEventListener('abort', cancelQuietly, { once: true })
  // A page that is left has no time for more than what it knows already.
  const forgetHide = deps.lifecycle?.onHide(() => run.checkpointer?.flushLast())
  const done = Promise.resolve().then(work)
  done.catch(() => {})

  return {
    done,
    get state() {
      return stateOf()
    },
    get progress() {
      return run.meter.read()
    },
    get parts() {
      return run.meter.readParts()
    },
    get id() {
      return run.upload?.id
    },
    get isCompleted() {
      return isOver()
    },
    get isCanceled() {
      return phase === 'cancelled' || (canceller.signal.aborted && !isOver())
    },
    waitUntilFinished: () =>
      done.then(
        () => {},
        () => {},
      ),
    getResult: () => done,
    pause() {
      if (isOver() || gate.isPaused) return
      gate.pause()
      void run.checkpointer?.flush()
      showState()
    },
    resume() {
      if (!gate.isPaused) return
      gate.resume()
      showState()
    },
    cancel,
  }
}

async function abortUnlessGone(api: UploadApi, id: string): Promise<void> {
  // A device without a network waits for one.
  const signal = AbortSignal.timeout(abortMs)
  try {
    await api.abortUpload(id, { ...abortCall, signal })
  } catch (error) {
    if (signal.aborted) throw new ClientException('timeout', 'The server could not be told of the cancel')
    if (!isServerProblem(error) || error.code !== 'upload-not-found') throw error
  }
}

const flushMs = 1000

async function flushSoon(run: UploadRun, checkpoints: AbortController): Promise<void> {
  if (checkpoints.signal.aborted || !run.checkpointer) return
  const timer = setTimeout(() => checkpoints.abort(), flushMs)
  await run.checkpointer.flush()
  clearTimeout(timer)
}
