import type { UploadCallback } from './contract/callback.ts'
import { DEFAULT_PART_BYTES, MAX_OBJECT_BYTES, MAX_PART_BYTES, MIN_PART_BYTES } from './contract/part-plan.ts'
import { ClientException, type ServiceException } from './errors.ts'
import type { PartLimiter } from './part-limiter.ts'
import type { UploadProgress } from './progress.ts'
import type { RecordStore } from './record-store.ts'
import { defaultRetryPolicy, type RetryPolicy } from './retry.ts'
import type { RetryNotice } from './retry-streak.ts'
import { safeCallback } from './safe-callback.ts'
import type { EndReason } from './upload-fate.ts'

/** Things a caller may want to show; the upload goes on by itself. */
export type UploadNotice =
  | RetryNotice
  /** The upload went on from what was stored. */
  | { type: 'resumed'; id: string; restoredBytes: number }
  /** What was stored is gone or of another content, and everything is sent again. */
  | { type: 'restarted'; previousId: string; reason: EndReason | 'source-changed' }
  /** The record store failed: after a crash only the server's memory is left to resume by. */
  | { type: 'record-unavailable'; error: unknown }
  /** STS credentials were refused, and the upload goes on with presigned URLs. Only in mode `auto`. */
  | { type: 'mode-changed'; mode: 'presigned'; error: ClientException | ServiceException }
  /** OSS stored a part, but the page may not read its checksums: the bucket's CORS rule exposes neither. The MD5 in each URL still holds. */
  | { type: 'headers-hidden' }

/**
 * `waiting`: another tab, or another task of this client, sends the same file; its progress is shown, and this task takes over when it
 * stops. `verifying`: everything is sent, and parts stored by earlier runs are still being compared with the source. `completing`:
 * OSS joins the parts. The last three are ends.
 */
export type UploadTaskState =
  | 'preparing'
  | 'waiting'
  | 'sending'
  | 'paused'
  | 'verifying'
  | 'completing'
  | 'completed'
  | 'failed'
  | 'cancelled'

/**
 * How bytes are allowed in:
 * - `presigned`: the server presigns a URL for each part. OSS then accepts those bytes and no others, and the server needs no STS
 * - `sts`: the client signs by itself, with STS credentials for the upload's object. Asks the server for them, whatever the number of parts.
 *   `token()` must give a token with the scope `credentials`, and pages need HTTPS
 * - `auto`: `presigned` for the first parts, whose URLs come with the upload, and `sts` for the others, as long as it works; otherwise
 *   `presigned`, also half-way
 */
export type UploadMode = (typeof uploadModes)[number]
export const uploadModes = ['presigned', 'sts', 'auto'] as const

/** Options of one upload. `undefined` is the same as leaving one out. */
export interface UploadOptions {
  /** How bytes are allowed in; by default `presigned`. */
  mode?: UploadMode | undefined
  /**
   * Parts in flight at once: 1 to 32, by default 4. More helps on lines with a long round trip and costs a buffer each. After an outage
   * fewer, until the line has proved itself: what a cut costs is what was in flight.
   */
  parallel?: number | undefined
  /** Keeps the parts in flight of many uploads below one limit, on top of `parallel`. */
  limiter?: PartLimiter | undefined
  /** 1 MiB to 5 GiB, by default 8 MiB; grown where the file would have over 10,000 parts. Ignored when an upload is resumed. */
  partSizeBytes?: number | undefined
  /** The name people see; by default the source's. */
  fileName?: string | undefined
  /** The object's media type; by default the source's, or else `application/octet-stream`. */
  contentType?: string | undefined
  /** Kept with the object. Names `[a-z0-9-]{1,64}`, printable ASCII values, 7 KB together. */
  metadata?: Record<string, string> | undefined
  /** A request that OSS sends to your application when it has made the object. The server's operator decides where to. An upload that is
   *  resumed keeps the one it was begun with. */
  callback?: UploadCallback | undefined
  /** Recognises the file on any device; by default from its size and samples of its content. */
  fingerprint?: string | undefined
  /**
   * Go on with an open upload of the same content where there is one. By default true. Two equal files uploaded at once by one client, or
   * by tabs of one browser, get an object each; by different devices of one owner they share one. False gives each its own.
   */
  resume?: boolean | undefined
  /** Where a record of the unfinished upload is kept; by default the platform's place, if it has one. Null: resuming rests on the server's memory alone. */
  recordStore?: RecordStore | null | undefined
  /** What `cancel()` does: by default true, the parts and the record are deleted; false keeps both for another run. */
  deleteUploadOnCancelling?: boolean | undefined
  /** When the source is not the one whose parts are stored: fail with `source-changed` (default), or start from zero, once. */
  onSourceChanged?: 'refuse' | 'restart' | undefined
  /** Aborting it is `cancel()`. */
  signal?: AbortSignal | undefined
  /** Called as bytes move, see `progressIntervalMs`. What a callback throws is dropped: it stops nothing. */
  onProgress?: ((progress: UploadProgress) => void) | undefined
  /** Called for what people may want to know although the upload goes on. */
  onNotice?: ((notice: UploadNotice) => void) | undefined
  /** Called with every new state, the end included. */
  onStateChange?: ((state: UploadTaskState) => void) | undefined
  /** At most one progress report per this many ms; by default 100. */
  progressIntervalMs?: number | undefined
  /** A part whose bytes have not moved for this long is sent again; by default 30 s, longer on lines seen to be slow. */
  stallTimeoutMs?: number | undefined
  /** How long OSS may take to join the parts; by default 10 minutes. */
  completeTimeoutMs?: number | undefined
  /** How an outage is waited out, see {@link defaultRetryPolicy}: two minutes without a byte. Pauses do not count. */
  retry?: Partial<RetryPolicy> | undefined
}

/** The options with every default filled in. */
export interface ResolvedOptions extends UploadOptions {
  mode: UploadMode
  parallel: number
  partSizeBytes: number
  resume: boolean
  deleteUploadOnCancelling: boolean
  onSourceChanged: 'refuse' | 'restart'
  progressIntervalMs: number
  stallTimeoutMs: number
  completeTimeoutMs: number
  retry: RetryPolicy
  /** These two never throw. */
  onNotice: (notice: UploadNotice) => void
  onStateChange: (state: UploadTaskState) => void
}

/** Fills in defaults. Throws ClientException `invalid-argument`, naming the option. */
export function resolveOptions(options: UploadOptions, retry: RetryPolicy = defaultRetryPolicy): ResolvedOptions {
  const { mode = 'presigned' } = options
  if (!uploadModes.includes(mode)) throw invalid('mode', "must be 'presigned', 'sts' or 'auto'")
  if (options.onSourceChanged !== undefined && !['refuse', 'restart'].includes(options.onSourceChanged)) {
    throw invalid('onSourceChanged', "must be 'refuse' or 'restart'")
  }
  return {
    ...options,
    mode,
    parallel: whole('parallel', options.parallel ?? 4, 1, 32),
    partSizeBytes: whole('partSizeBytes', options.partSizeBytes ?? DEFAULT_PART_BYTES, MIN_PART_BYTES, MAX_PART_BYTES),
    resume: options.resume ?? true,
    deleteUploadOnCancelling: options.deleteUploadOnCancelling ?? true,
    onSourceChanged: options.onSourceChanged ?? 'refuse',
    progressIntervalMs: whole('progressIntervalMs', options.progressIntervalMs ?? 100, 0, 3_600_000),
    stallTimeoutMs: whole('stallTimeoutMs', options.stallTimeoutMs ?? 30_000, 1, 3_600_000),
    completeTimeoutMs: whole('completeTimeoutMs', options.completeTimeoutMs ?? 600_000, 1, 86_400_000),
    retry: { ...retry, ...options.retry },
    onNotice: safeCallback(options.onNotice),
    onStateChange: safeCallback(options.onStateChange),
  }
}

/** Throws ClientException `invalid-argument` for a size no object can have. */
export function checkSourceSize(sizeBytes: number): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 && sizeBytes <= MAX_OBJECT_BYTES) return
  throw invalid('sizeBytes', `must be a whole number from 0 to ${MAX_OBJECT_BYTES}`)
}

function whole(name: string, value: number, minimum: number, maximum: number): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value
  throw invalid(name, `must be a whole number from ${minimum} to ${maximum}`)
}

function invalid(name: string, rule: string): ClientException {
  return new ClientException('invalid-argument', `${name} ${rule}`)
}
