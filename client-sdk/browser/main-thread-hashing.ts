import type { PartBody } from '../byte-source.ts'
import type { Hashing, PartDigest } from '../hashing.ts'
import { createPartHashers } from './part-hasher.ts'

/** Little enough to take a few ms on a slow phone without WebAssembly. */
const stepBytes = 32_768
/** How long nothing else may run. The last step may go past it. */
const turnMs = 5

/** Hashes where the page itself runs, a few milliseconds at a time: for browsers or policies that refuse workers. */
export function createMainThreadHashing(): Hashing {
  const hashers = createPartHashers()

  async function hash(body: PartBody, withMd5: boolean, signal?: AbortSignal): Promise<PartDigest> {
    const hasher = await hashers.take(signal, withMd5)
    try {
      signal?.throwIfAborted()
      let turnEndsAt = performance.now() + turnMs
      for await (const piece of body.stream()) {
        for (let start = 0; start < piece.byteLength; start += stepBytes) {
          hasher.update(piece.subarray(start, start + stepBytes))
          if (performance.now() < turnEndsAt) continue
          await nextTurn()
          signal?.throwIfAborted()
          turnEndsAt = performance.now() + turnMs
        }
      }
      return hasher.digest()
    } finally {
      hashers.give(hasher)
    }
  }

  return {
    digest: (body, signal) => hash(body, true, signal),
    crc64: async (body, signal) => (await hash(body, false, signal)).crc64,
  }
}

/** Lets everything run that waits. A message and not a timer: those are held back in hidden pages. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}
