import type { PartBody } from './byte-source.ts'

/** What a part's bytes come to. */
export interface PartDigest {
  /** Base64, as in `Content-MD5`. */
  md5: string
  /** CRC-64/XZ in [0, 2^64). */
  crc64: bigint
}

/** Hashes parts. May run on another thread; must let the event loop turn meanwhile. Throws the signal's reason, or what reading the body throws. */
export interface Hashing {
  /** MD5 and CRC-64 in one pass over the bytes. */
  digest(body: PartBody, signal?: AbortSignal): Promise<PartDigest>
  /** The CRC-64 alone, in a third of the time: enough to know bytes again. */
  crc64(body: PartBody, signal?: AbortSignal): Promise<bigint>
}

/** The ETag OSS gives a part with this MD5: upper-case hex. */
export function etagOfMd5(md5: string): string {
  return Array.from(atob(md5), (char) => char.charCodeAt(0).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}
