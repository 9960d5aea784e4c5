import type { ByteSource } from './byte-source.ts'
import type { Checkpointer } from './checkpointer.ts'
import type { Clock, ServerClock } from './clock.ts'
import type { CallbackResult } from './contract/callback.ts'
import type { Upload } from './contract/upload.ts'
import { ClientException } from './errors.ts'
import type { ExplainFailure } from './explain-failure.ts'
import { type FileLock, lockFile } from './file-lock.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Finished } from './finish-upload.ts'
import type { Hashing } from './hashing.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { LineNews } from './line-news.ts'
import type { PartTransport } from './part-transport.ts'
import type { ProgressMeter, UploadProgress } from './progress.ts'
import type { ProgressReports } from './progress-reports.ts'
import type { RunGate } from './run-gate.ts'
import { createSafeRecord, type SafeRecord } from './safe-record.ts'
import type { UploadApi } from './upload-api.ts'
import type { createClaimBook } from './upload-claims.ts'
import { type EndReason, UploadEnded } from './upload-fate.ts'
import type { UploadLocks } from './upload-locks.ts'
import { uploadOnce } from './upload-once.ts'
import { checkSourceSize, type ResolvedOptions, type UploadNotice, type UploadTaskState } from './upload-options.ts'
import { recordKey } from './upload-record.ts'

export interface UploadFileDeps {
  api: UploadApi
  transport: PartTransport
  hashing: Hashing
  clock: Clock
  serverClock: ServerClock
  news: LineNews
  locks: UploadLocks
  claimBook: ReturnType<typeof createClaimBook>
  lifecycle?: Lifecycle | undefined
  explainFailure?: ExplainFailure | undefined
}

/** What an upload shares with the task that shows it. */
export interface UploadRun {
  /** Aborts on cancel, with the exception callers see. */
  readonly signal: AbortSignal
  /** Aborts when not even a checkpoint may be in flight any more. */
  readonly checkpointSignal: AbortSignal
  readonly gate: RunGate
  meter: ProgressMeter
  reports: ProgressReports
  /** The source's size is known. */
  begin(sizeBytes: number): void
  setPhase(phase: Exclude<UploadTaskState, 'paused'>): void
  notify(notice: UploadNotice): void
  /** Lets others have the file. Called by the task when nothing of this run is left to do, what a cancel deletes included. */
  unlock?: (() => void) | undefined
  /** Tells those who wait for the same file. */
  share?: ((progress: UploadProgress) => void) | undefined
  upload?: Upload | undefined
  /** Whether `upload` is known to be of this source. One of another file must not be aborted. */
  isOurs?: boolean | undefined
  record?: SafeRecord | undefined
  checkpointer?: Checkpointer | undefined
}

/** What a finished upload came to. */
export interface UploadResult {
  /** The upload's id. */
  id: string
  /** The object's key in the bucket. */
  key: string
  /** The object's ETag, without quotes. */
  etag: string
  /** The file's CRC-64 from local bytes, equal to the object's. */
  crc64: string
  /** The file's size, and the object's. */
  sizeBytes: number
  /** Bytes put on the wire by this run; what was stored before is not among them. */
  sentBytes: number
  /** What came of the callback; null without one, and when nobody heard: OSS tells it once. */
  callbackResult: CallbackResult | null
}

/**
 * Uploads a source. When the upload it goes on with turns out to be over, or the source another one and the options say so, everything
 * starts again, once.
 */
export async function uploadFile(
  deps: UploadFileDeps & { server: string; openSource(signal: AbortSignal): Promise<ByteSource> },
  options: ResolvedOptions,
  run: UploadRun,
): Promise<UploadResult> {
  let restartedFor: EndReason | 'source-changed' | undefined
  for (;;) {
    run.signal.throwIfAborted()
    const source = await deps.openSource(run.signal)
    const claims = deps.claimBook.open()
    let lock: FileLock | undefined
    run.unlock = () => {
      run.share = undefined
      claims.release()
      lock?.release()
    }
    try {
      checkSourceSize(source.sizeBytes)
      run.begin(source.sizeBytes)
      const fingerprint = options.fingerprint ?? (await fingerprintOf(source, deps.hashing, run.signal))
      const identity = identityOf(source, options)
      const about = { server: deps.server, fingerprint, sizeBytes: source.sizeBytes, identity }
      const record = createSafeRecord(options.recordStore ?? undefined, about, deps.clock.nowMs, (error) =>
        run.notify({ type: 'record-unavailable', error }),
      )
      // Not before the file is ours: a cancel deletes what the record names, and until then that is somebody else's.
      run.record = undefined
      if (options.resume && identity !== undefined) {
        const name = recordKey(deps.server, fingerprint, identity)
        lock = await lockFile({ ...deps, run, record }, name, run.signal)
        run.share = (progress) => run.upload && deps.locks.tell(name, { id: run.upload.id, ...progress })
      }
      run.record = record
      // An upload with other parts than the source's must not be found again.
      const resume = options.resume && restartedFor !== 'source-changed' && restartedFor !== 'other-content'
      const finished = await uploadOnce({
        ...deps,
        options: { ...options, resume },
        run,
        source,
        fingerprint,
        record,
        useRecord: resume && restartedFor === undefined,
        seenId: lock?.seenId,
        claim: claims.claim,
      })
      const result = resultOf(finished, run.meter.read().sentBytes)
      claims.completed(finished.upload.id)
      await record.delete()
      return result
    } catch (error) {
      const reason = restartedFor === undefined ? restartReason(error, options) : undefined
      if (reason === undefined || run.signal.aborted) throw error instanceof UploadEnded ? ended(error) : error
      restartedFor = reason
      await forget(deps, run, reason)
      run.unlock()
    } finally {
      run.checkpointer?.close()
      // What it has given was checked; that it cannot be closed changes nothing.
      await source.close().catch(() => {})
    }
  }
}

/** One file under two names is two files. Without an identity nobody can tell a file from its copy. */
function identityOf(source: ByteSource, { fileName }: ResolvedOptions): string | undefined {
  if (source.identity === undefined || fileName === undefined) return source.identity
  return JSON.stringify([fileName, source.identity])
}

function restartReason(error: unknown, options: ResolvedOptions): EndReason | 'source-changed' | undefined {
  if (error instanceof UploadEnded) return error.reason
  const isChanged = error instanceof ClientException && error.code === 'source-changed'
  return isChanged && options.onSourceChanged === 'restart' ? 'source-changed' : undefined
}

async function forget(deps: UploadFileDeps, run: UploadRun, reason: EndReason | 'source-changed'): Promise<void> {
  const previousId = run.upload?.id ?? ''
  run.upload = undefined
  await run.record?.delete()
  if (reason === 'source-changed' && previousId) {
    // Best effort: an upload left behind expires by itself.
    await deps.api.abortUpload(previousId, { signal: run.signal }).catch(() => {})
  }
  run.notify({ type: 'restarted', previousId, reason })
}

function ended(error: UploadEnded): ClientException {
  return new ClientException('upload-ended', `The upload ended before it was complete: ${error.reason}`, {
    cause: error,
  })
}

function resultOf({ upload, crc64, callbackResult }: Finished & { crc64: bigint }, sentBytes: number): UploadResult {
  if (upload.crc64 !== null && upload.crc64 !== crc64.toString()) {
    throw new ClientException('corrupted', 'The object in OSS is not what was read from the file')
  }
  return {
    id: upload.id,
    key: upload.key,
    etag: upload.etag ?? '',
    crc64: crc64.toString(),
    sizeBytes: upload.sizeBytes,
    sentBytes,
    callbackResult,
  }
}
