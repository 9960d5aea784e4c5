/* What a page needs once it uploads, apart from what it loads first: see lazy-ports.ts. */
export { openBlobSource } from './blob-source.ts'
export { createBrowserHashing } from './browser-hashing.ts'
export { createBrowserRecordStore } from './browser-record-store.ts'
export { explainFailure } from './explain-failure.ts'
export { createPageLifecycle } from './page-lifecycle.ts'
export { createWebLocks } from './web-locks.ts'
export { createXhrTransport } from './xhr-transport.ts'
