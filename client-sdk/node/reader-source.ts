import type { ByteSource } from '../byte-source.ts'
import { ClientException } from '../errors.ts'

/** Bytes from anywhere that can be read at any place, as often as asked: twice for most, to be hashed and to be sent. */
export interface Reader {
  /** Must not change. */
  sizeBytes: number
  /** The bytes `start` (inclusive) to `end` (exclusive), exactly that many. */
  read(start: number, end: number): Promise<Uint8Array> | Uint8Array
  /** The name people see; by default `upload`. */
  name?: string
  /** The media type, if known. */
  contentType?: string
}

const pieceBytes = 1_048_576

/** A caller's reader as a source. What it throws becomes ClientException `source-unreadable`. */
export function readerSource(reader: Reader): ByteSource {
  async function read(start: number, end: number): Promise<Uint8Array> {
    let bytes: Uint8Array
    try {
      bytes = await reader.read(start, end)
    } catch (error) {
      throw new ClientException('source-unreadable', 'The source cannot be read', { cause: error })
    }
    if (!(bytes instanceof Uint8Array)) {
      throw new ClientException('source-unreadable', 'The source gave something other than a Uint8Array')
    }
    if (bytes.byteLength === end - start) return bytes
    throw new ClientException('source-changed', `The source gave ${bytes.byteLength} bytes instead of ${end - start}`)
  }
  return {
    name: reader.name ?? 'upload',
    sizeBytes: reader.sizeBytes,
    contentType: reader.contentType,
    read,
    async *stream(start, end) {
      for (let from = start; from < end; from += pieceBytes) yield await read(from, Math.min(from + pieceBytes, end))
    },
    async checkUnchanged() {
      // Nothing to go by but the bytes, which every part's MD5 already vouches for.
    },
    async close() {},
  }
}
