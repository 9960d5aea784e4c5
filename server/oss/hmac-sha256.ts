import { hash } from 'node:crypto'

const blockBytes = 64
const hashBytes = 32

/** HMAC-SHA256 of texts that begin alike: takes their start, and returns the function from their end to the hex HMAC of the whole. */
export type HmacSha256 = (start: string) => (end: string) => string

/**
 * HMAC-SHA256 under one key, for many short texts.
 *
 * By its definition (RFC 2104) over two one-shot hashes: `createHmac` makes an object with a native part for each text, which costs twice as
 * much (1.9 against 0.9 µs for a text of 135 bytes, Node 20.20), and presigning does little else. `key` is at most 64 bytes.
 */
export function createHmacSha256(key: Buffer): HmacSha256 {
  if (key.length > blockBytes) throw new RangeError(`the key has over ${blockBytes} bytes`)
  const innerBlock = padded(key, 0x36)
  const outerBlock = padded(key, 0x5c)
  return (start) => {
    const startBytes = Buffer.from(start)
    const outer = roomy(outerBlock, blockBytes + hashBytes)
    const innerWith = (endBytes: number) => {
      const inner = roomy(innerBlock, blockBytes + startBytes.length + endBytes)
      startBytes.copy(inner, blockBytes)
      return inner
    }
    let inner = innerWith(0)
    return (end) => {
      const endBytes = Buffer.byteLength(end)
      // Used again while the ends have one length, as hashes do.
      if (inner.length !== blockBytes + startBytes.length + endBytes) inner = innerWith(endBytes)
      inner.write(end, blockBytes + startBytes.length)
      // As hex: one-shot hashes are slower at making a buffer than both conversions are.
      outer.write(hash('sha256', inner), blockBytes, 'hex')
      return hash('sha256', outer)
    }
  }
}

/** The block that `key` makes with a pad byte. */
function padded(key: Buffer, pad: number): Buffer {
  const block = roomy(key, blockBytes)
  for (let index = 0; index < blockBytes; index++) block.writeUInt8(block.readUInt8(index) ^ pad, index)
  return block
}

/** `bytes` at the start of memory of their own: what comes of a key does not lie in the pool that small buffers share. */
function roomy(bytes: Buffer, lengthBytes: number): Buffer {
  const room = Buffer.alloc(lengthBytes)
  bytes.copy(room)
  return room
}
