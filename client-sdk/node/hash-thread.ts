import { createHash } from 'node:crypto'
import { readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import crc64Module from 'hash-wasm/dist/crc64.umd.min.js'
import type { PartDigest } from '../hashing.ts'

/* Runs on a thread of its own, which thread-hashing.ts starts: reads ranges of open files and hashes them, one at a time. Reading waits
 * here, where nobody else does, instead of being handed to a third thread and back. */

/** Bytes hashed between two looks at `cancelled`: some 3 ms. */
const pieceBytes = 1_048_576

/** Bytes `start` (inclusive) to `end` (exclusive) of an open file. */
export interface HashOrder {
  fd: number
  start: number
  end: number
  /** Shared with the caller, who sets its only element to 1. */
  cancelled: Int32Array
}

/** First of all that it is ready, then one for each order. No digest: cancelled, or the file could not be read. */
export type HashNews = { isReady: true } | { digest: PartDigest | undefined }

const crc64 = await crc64Module.createCRC64()
const piece = new Uint8Array(pieceBytes)

function digestOf({ fd, start, end, cancelled }: HashOrder): PartDigest | undefined {
  const md5 = createHash('md5')
  crc64.init()
  for (let from = start; from < end; ) {
    if (Atomics.load(cancelled, 0) === 1) return undefined
    const bytesRead = readSync(fd, piece, 0, Math.min(pieceBytes, end - from), from)
    if (bytesRead === 0) return undefined
    const bytes = piece.subarray(0, bytesRead)
    md5.update(bytes)
    crc64.update(bytes)
    from += bytesRead
  }
  return { md5: md5.digest('base64'), crc64: BigInt(`0x${crc64.digest()}`) }
}

const say = (news: HashNews) => parentPort?.postMessage(news)

parentPort?.on('message', (order: HashOrder) => {
  let digest: PartDigest | undefined
  try {
    digest = digestOf(order)
  } catch {
    // The caller reads the range itself, then, and learns why it cannot be read.
  }
  say({ digest })
})
say({ isReady: true })
