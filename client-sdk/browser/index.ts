import {
  type ClientOptions,
  createUploadClient as createClient,
  type Ports,
  type UploadClient,
} from '../upload-client.ts'
import { openBlobSource } from './blob-source.ts'
import { browserClock } from './browser-clock.ts'
import { createBrowserHashing } from './browser-hashing.ts'
import { createBrowserRecordStore } from './browser-record-store.ts'
import { createPageLifecycle } from './page-lifecycle.ts'
import { createWebLocks } from './web-locks.ts'
import { createXhrTransport } from './xhr-transport.ts'

export * from '../index.ts'
export { openBlobSource } from './blob-source.ts'
export { browserClock } from './browser-clock.ts'
export { createBrowserHashing } from './browser-hashing.ts'
export { createBrowserRecordStore } from './browser-record-store.ts'
export { createPageLifecycle } from './page-lifecycle.ts'
export { createWebLocks } from './web-locks.ts'
export { createXhrTransport } from './xhr-transport.ts'

/** A client for web pages: Files and Blobs, parts over XMLHttpRequest, hashing in a worker. Any port may be replaced. */
export function createUploadClient(options: ClientOptions & { ports?: Partial<Ports<Blob>> }): UploadClient<Blob> {
  const ports = {
    openSource: openBlobSource,
    transport: createXhrTransport(),
    hashing: createBrowserHashing(),
    clock: browserClock,
    recordStore: createBrowserRecordStore(),
    locks: createWebLocks(),
    lifecycle: createPageLifecycle(),
    ...options.ports,
  }
  return createClient({ ...options, ports })
}
