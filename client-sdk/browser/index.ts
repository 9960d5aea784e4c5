import {
  type ClientOptions,
  createUploadClient as createClient,
  type Ports,
  type UploadClient,
} from '../upload-client.ts'
import { browserClock } from './browser-clock.ts'
import {
  createBrowserHashing,
  createBrowserRecordStore,
  createExplainFailure,
  createPageLifecycle,
  createWebLocks,
  createXhrTransport,
  loadUploadPorts,
  openBlobSource,
} from './lazy-ports.ts'

export * from '../index.ts'
export { browserClock } from './browser-clock.ts'
export {
  createBrowserHashing,
  createBrowserRecordStore,
  createPageLifecycle,
  createWebLocks,
  createXhrTransport,
  openBlobSource,
} from './lazy-ports.ts'

/**
 * A client for web pages: Files and Blobs, parts over XMLHttpRequest, hashing in a worker, records in IndexedDB, one uploader per file
 * across tabs. Any port may be replaced.
 *
 * Under a strict Content-Security-Policy it needs `script-src` and `worker-src` with the origin its own files come from (`'self'`), and
 * `connect-src` with server and bucket. `'unsafe-eval'` is never needed. Without `worker-src` files are hashed on the main thread, a few
 * milliseconds at a time; without `'wasm-unsafe-eval'` in `script-src` by plain JavaScript, several times slower.
 */
export function createUploadClient(options: ClientOptions & { ports?: Partial<Ports<Blob>> }): UploadClient<Blob> {
  const reached = new Set<string>()
  // On its way before the first file is chosen: by then there may be no network.
  loadUploadPorts().catch(() => {})
  const ports = {
    openSource: openBlobSource,
    transport: createXhrTransport(reached),
    hashing: createBrowserHashing(),
    clock: browserClock,
    async fetch(...request: Parameters<typeof fetch>) {
      const response = await fetch(...request)
      // A service worker's own answers come from nowhere.
      if (URL.canParse(response.url)) reached.add(new URL(response.url).origin)
      return response
    },
    recordStore: createBrowserRecordStore(),
    locks: createWebLocks(),
    lifecycle: createPageLifecycle(),
    explainFailure: createExplainFailure(reached),
    ...options.ports,
  }
  return createClient({ ...options, ports })
}
