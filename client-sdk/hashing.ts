import type { PartBody } from './byte-source.ts'

/** What a part's bytes come to. */
export interface PartDigest {
  /** Base64, as in `Content-MD5`. */
  md5: string
  /** CRC-64/XZ in [0, 2^64). */
  crc64: bigint
}

/** Hashes parts, MD5 and CRC-64 in one pass over the bytes. May run on another thread; must let the event loop turn meanwhile. */
export interface Hashing {
  /** Throws the signal's reason, or what reading the body throws. */
  digest(body: PartBody, signal?: AbortSignal): Promise<PartDigest>
}

/** The ETag OSS gives a part with this MD5: upper-case hex. */
export function etagOfMd5(md5: string): string {
  return Array.from(atob(md5), (char) => char.charCodeAt(0).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}
