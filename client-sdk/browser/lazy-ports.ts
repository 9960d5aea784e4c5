import type { ByteSource } from '../byte-source.ts'
import type { ExplainFailure } from '../explain-failure.ts'
import type { Hashing } from '../hashing.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { PartTransport } from '../part-transport.ts'
import type { RecordStore } from '../record-store.ts'
import type { UploadLocks } from '../upload-locks.ts'
import { browserClock } from './browser-clock.ts'
import { lazyModule } from './lazy-module.ts'
import { unlessAborted } from './unless-aborted.ts'

/** Where not even our own code comes through, the network is the likelier reason. */
const loadMs = 5000

/* The ports in their place: each is loaded with the others when the first of them is used. */

export const loadUploadPorts = lazyModule(() => import('./upload-ports.ts'), browserClock)

/** A port that is made when it is first used. */
function later<Port>(make: (ports: Awaited<ReturnType<typeof loadUploadPorts>>) => Port) {
  let made: Port | undefined
  return async (signal?: AbortSignal): Promise<Port> => {
    const ports = await loadUploadPorts(signal)
    // After the wait: of those who wait together, one makes it.
    made ??= make(ports)
    return made
  }
}

/** A File or Blob as a source. Throws ClientException `invalid-argument` for anything else. */
export async function openBlobSource(source: Blob, signal?: AbortSignal): Promise<ByteSource> {
  return (await loadUploadPorts(signal)).openBlobSource(source)
}

/** Parts over XMLHttpRequest. `reached` learns the origins that have let this page send something. */
export function createXhrTransport(reached?: Set<string>): PartTransport {
  const transport = later((ports) => ports.createXhrTransport(reached))
  return { send: async (part) => (await transport(part.signal)).send(part) }
}

/**
 * Hashes in a worker. Where workers are refused or do not last, on the main thread, a few milliseconds at a time. What it costs to leave
 * something out of the Content-Security-Policy: without `worker-src`, hashing takes time from the page; without 'wasm-unsafe-eval' in
 * `script-src`, it is several times slower. Neither stops an upload.
 */
export function createBrowserHashing(): Hashing {
  const hashing = later((ports) => ports.createBrowserHashing())
  return {
    digest: async (body, signal) => (await hashing(signal)).digest(body, signal),
    crc64: async (body, signal) => (await hashing(signal)).crc64(body, signal),
  }
}

/** Records in IndexedDB; where that fails in localStorage, or else until the page is closed. */
export function createBrowserRecordStore(): RecordStore {
  const store = later((ports) => ports.createBrowserRecordStore())
  return {
    load: async (key) => (await store()).load(key),
    save: async (key, text) => (await store()).save(key, text),
    delete: async (key) => (await store()).delete(key),
  }
}

/** Locks that hold across the tabs of this origin; on http pages only among the tasks of this client. */
export function createWebLocks(): UploadLocks {
  const locks = later((ports) => ports.createWebLocks())
  let ready: UploadLocks | undefined
  const load = async (signal?: AbortSignal) => {
    ready = await locks(signal)
    return ready
  }
  return {
    acquire: async (name, signal, onWait) => (await load(signal)).acquire(name, signal, onWait),
    tryAcquire: async (name) => (await load()).tryAcquire(name),
    // Nobody tells before holding a lock, or listens before waiting for one.
    tell: (name, news) => ready?.tell(name, news),
    listen: (name, onNews) => ready?.listen(name, onNews) ?? (() => {}),
  }
}

/** What happens to this page, from when the code for it is there. */
export function createPageLifecycle(): Lifecycle {
  const lifecycle = later((ports) => ports.createPageLifecycle())
  const listen = (to: keyof Lifecycle) => (run: () => void) => {
    let forget: (() => void) | undefined
    let isOver = false
    lifecycle().then(
      (real) => {
        if (!isOver) forget = real[to](run)
      },
      () => {},
    )
    return () => {
      isOver = true
      forget?.()
    }
  }
  return { onHide: listen('onHide'), onWake: listen('onWake') }
}

/** Finds out why the browser hides an answer; not where `reached` has the origin, which has then let this page. Asks once at a time. */
export function createExplainFailure(reached: ReadonlySet<string>): ExplainFailure {
  const running = new Map<string, ReturnType<ExplainFailure>>()
  return async (url, of, signal) => {
    const { href, origin } = new URL(url, location.href)
    if (!navigator.onLine || reached.has(origin)) return undefined
    const asked =
      running.get(origin) ??
      loadUploadPorts(AbortSignal.timeout(loadMs))
        .then((ports) => ports.explainFailure(href, of))
        .catch(() => undefined)
        .finally(() => running.delete(origin))
    running.set(origin, asked)
    return unlessAborted(asked, signal)
  }
}
