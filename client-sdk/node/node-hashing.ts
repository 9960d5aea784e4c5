import { createHash, type Hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { IHasher } from 'hash-wasm'
import type { PartBody } from '../byte-source.ts'
import type { Hashing } from '../hashing.ts'
import { fileRangeOf } from './file-range.ts'
import { createThreadHashing } from './thread-hashing.ts'

/** Bytes hashed before the event loop may turn: about 4 ms, so that sockets are fed and signals heard. */
const turnBytes = 2 * 1_048_576

/** All clients of a process share it: one thread can hash what several lines take. */
const thread = createThreadHashing()

/**
 * MD5 by node:crypto and CRC-64 by hash-wasm, both from the same read. Of hash-wasm only the one algorithm is loaded, with the first part:
 * all of them together take 10 MB of memory. Parts of files are hashed on a second thread, which reads them itself: a GiB goes up in a tenth
 * less time, and a resume, which has this thread compare what is stored, in a seventh less. (A thread that is handed the bytes was tried,
 * too: it was slower, and took 60 MB more.)
 */
export function createNodeHashing(): Hashing {
  // Finished ones are used again: making a WebAssembly instance costs more than hashing a small part.
  const free: IHasher[] = []
  const takeCrc64 = async () => free.pop() ?? (await import('hash-wasm/dist/crc64.umd.min.js')).default.createCRC64()

  async function crc64Of(pieces: ReturnType<PartBody['stream']>, signal?: AbortSignal, md5?: Hash): Promise<bigint> {
    signal?.throwIfAborted()
    const crc64 = (await takeCrc64()).init()
    try {
      let bytes = 0
      for await (const piece of pieces) {
        md5?.update(piece)
        crc64.update(piece)
        bytes += piece.byteLength
        if (bytes < turnBytes) continue
        bytes = 0
        await setImmediate()
        signal?.throwIfAborted()
      }
      return BigInt(`0x${crc64.digest()}`)
    } finally {
      free.push(crc64)
    }
  }

  return {
    async digest(body, signal) {
      const pieces = body.stream()
      const range = fileRangeOf(pieces)
      const done = range && (await thread.digest(range, signal))
      if (done) return done
      const md5 = createHash('md5')
      const crc64 = await crc64Of(pieces, signal, md5)
      return { md5: md5.digest('base64'), crc64 }
    },
    crc64: (body, signal) => crc64Of(body.stream(), signal),
  }
}
