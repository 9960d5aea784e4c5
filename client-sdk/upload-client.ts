import type { ByteSource } from './byte-source.ts'
import type { Clock } from './clock.ts'
import type { ExplainFailure } from './explain-failure.ts'
import type { Hashing } from './hashing.ts'
import type { Lifecycle } from './lifecycle.ts'
import { linkServer } from './link-server.ts'
import { loadEngine } from './load-engine.ts'
import { loadOnline } from './load-online.ts'
import type { PartTransport } from './part-transport.ts'
import type { RecordStore } from './record-store.ts'
import { request } from './request.ts'
import type { RetryPolicy } from './retry.ts'
import { createUploadApi, type UploadApi } from './upload-api.ts'
import { createClaimBook } from './upload-claims.ts'
import { createMemoryLocks, type UploadLocks } from './upload-locks.ts'
import { resolveOptions, type UploadOptions } from './upload-options.ts'
import { startUploadTask, type UploadTask } from './upload-task.ts'

/** What differs between platforms. `Source` is what `upload` takes: a path in Node, a Blob in browsers. */
export interface Ports<Source> {
  /** Throws ClientException `source-unreadable`. */
  openSource(source: Source, signal: AbortSignal): Promise<ByteSource>
  /** Carries parts to OSS. */
  transport: PartTransport
  /** Hashes parts. */
  hashing: Hashing
  /** Time, chance, and whether there is a network. */
  clock?: Clock | undefined
  /** Carries the calls to the server; by default the global one. */
  fetch?: typeof fetch | undefined
  /** Where uploads keep their records unless they say otherwise; by default nowhere. */
  recordStore?: RecordStore | undefined
  /** By default among the tasks of this client. */
  locks?: UploadLocks | undefined
  /** Says when the page is left, and when the machine was asleep. By default neither is known. */
  lifecycle?: Lifecycle | undefined
  /** Where the platform hides why no answer came. */
  explainFailure?: ExplainFailure | undefined
}

/** What a client needs to know. */
export interface ClientOptions {
  /** Where the Partway server is, with the path it is mounted under. */
  baseUrl: string
  /**
   * Gives a bearer token. Asked at the first call, and again when the server refuses the one in use. When it throws, so does the call, at
   * once: an outage of what it asks is its own to wait out.
   */
  token: () => string | Promise<string>
  /** How an outage of server or OSS is waited out, see {@link defaultRetryPolicy}. Uploads may say otherwise. */
  retry?: Partial<RetryPolicy> | undefined
}

export interface UploadClient<Source> extends UploadApi {
  /** Starts an upload, or goes on with one. Throws ClientException `invalid-argument` for options out of their bounds. */
  upload(source: Source, options?: UploadOptions): UploadTask
  /** Drops the connections to OSS that are kept. Call it when no upload runs: parts in flight would have to go again. */
  close(): void
}

/** A client over the given ports. `@partway/client/node` brings Node's along. */
export function createUploadClient<Source>(options: ClientOptions & { ports: Ports<Source> }): UploadClient<Source> {
  const { ports } = options
  const link = linkServer(options, ports)
  const { clock, serverClock, news } = link
  const locks = ports.locks ?? createMemoryLocks()
  const claimBook = createClaimBook(locks)
  // On its way before the first file is chosen: by then there may be no network.
  loadEngine().catch(() => {})
  return {
    close: () => ports.transport.close?.(),
    ...createUploadApi((call) => request(link, call)),
    upload(source, uploadOptions = {}) {
      const { recordStore = ports.recordStore } = uploadOptions
      const resolved = resolveOptions({ ...uploadOptions, recordStore }, link.retry)
      const onRetry = resolved.onNotice
      const api = createUploadApi((call) => request({ ...link, retry: resolved.retry, onRetry }, call))
      return startUploadTask(
        {
          api,
          clock,
          serverClock,
          news,
          transport: ports.transport,
          hashing: ports.hashing,
          locks,
          claimBook,
          lifecycle: ports.lifecycle,
          explainFailure: ports.explainFailure,
          loadEngine: (signal) => loadOnline(loadEngine, { clock, retry: resolved.retry, onRetry }, signal),
          server: options.baseUrl.replace(/\/+$/, ''),
          openSource: (signal) => ports.openSource(source, signal),
        },
        resolved,
      )
    },
  }
}
