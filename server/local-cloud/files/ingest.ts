import { createHash } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { createCRC64, type IHasher } from 'hash-wasm'
import { temporaryPath } from './atomic-file.ts'

/** Bytes that arrived whole: a file in the temporary folder, and what it hashes to. */
export interface Ingested {
  readonly path: string
  readonly sizeBytes: number
  /** 32 lower-case hex digits. */
  readonly md5: string
  readonly crc64: bigint
}

// One write for many network chunks: a hop through the thread pool costs more than copying a chunk.
const WRITE_BYTES = 512 * 1024

const idleHashers: IHasher[] = []

/** Streams a body to a temporary file, hashing as it goes; at most two writes' worth is in memory. Whatever goes wrong, the body
 *  ending early included, leaves no file and is thrown. */
export async function ingest(tmpDir: string, body: AsyncIterable<Uint8Array>): Promise<Ingested> {
  const path = temporaryPath(tmpDir)
  const crc = idleHashers.pop() ?? (await createCRC64())
  const file = await open(path, 'wx')
  try {
    const { sizeBytes, md5 } = await pour(file, crc.init(), body)
    const crc64 = BigInt(`0x${crc.digest('hex')}`)
    await file.close()
    return { path, sizeBytes, md5, crc64 }
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(path, { force: true })
    throw error
  } finally {
    idleHashers.push(crc)
  }
}

async function pour(file: FileHandle, crc: IHasher, body: AsyncIterable<Uint8Array>) {
  const md5 = createHash('md5')
  let sizeBytes = 0
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  let writing: Promise<unknown> = Promise.resolve()
  const flush = async () => {
    await writing
    writing = writeAll(file, waiting)
    // Its failure is met at the next flush; until then nobody listens.
    writing.catch(() => undefined)
    waiting = []
    waitingBytes = 0
  }
  try {
    for await (const chunk of body) {
      md5.update(chunk)
      crc.update(chunk)
      sizeBytes += chunk.length
      waiting.push(chunk)
      waitingBytes += chunk.length
      if (waitingBytes >= WRITE_BYTES) await flush()
    }
    if (waiting.length > 0) await flush()
  } finally {
    // The file may only be closed once nothing writes to it any more.
    await writing.catch(() => undefined)
  }
  await writing
  return { sizeBytes, md5: md5.digest('hex') }
}

/** `writev` may write less than it was given, on a full disk above all. */
async function writeAll(file: FileHandle, chunks: Uint8Array[]): Promise<void> {
  const { bytesWritten } = await file.writev(chunks)
  let left = bytesWritten
  for (const chunk of chunks) {
    if (left >= chunk.length) {
      left -= chunk.length
      continue
    }
    await file.appendFile(chunk.subarray(left))
    left = 0
  }
}
