import type { PartDigest } from './hashing.ts'
import { etagOfMd5 } from './hashing.ts'
import type { PartReply } from './part-transport.ts'

/**
 * What an answer to a part means:
 * - `stored`: OSS has exactly these bytes, as far as its readable headers tell
 * - `corrupted`: the bytes that arrived are not those that were hashed
 * - `renew`: the grant is not accepted; expired, not valid yet, or signed by credentials that are gone
 * - `upload-missing`: OSS does not know the upload id
 * - `failed`: anything else; status and code say whether it may pass
 */
export type PartVerdict = 'stored' | 'corrupted' | 'renew' | 'upload-missing' | 'failed'

/**
 * Judges a reply by status and OSS's code. Every 403 asks for another grant, not only the codes of expiry: OSS reports a purged token
 * as InvalidAccessKeyId and an expired URL as AccessDenied, and a new grant settles both. The caller bounds how often.
 */
export function judgePartReply(reply: PartReply, code: string, digest: PartDigest): PartVerdict {
  if (reply.status === 200) return isSameContent(reply, digest) ? 'stored' : 'corrupted'
  if (reply.status === 403) return 'renew'
  if (reply.status === 400 && (code === 'InvalidDigest' || code === 'BadDigest')) return 'corrupted'
  if (reply.status === 400 && (code === 'InvalidAccessKeyId' || code === 'SecurityTokenExpired')) return 'renew'
  if (reply.status === 404 && code === 'NoSuchUpload') return 'upload-missing'
  return 'failed'
}

/** Headers that are hidden or absent say nothing: the MD5 bound into the URL has checked the bytes already. */
function isSameContent(reply: PartReply, digest: PartDigest): boolean {
  const crc64 = reply.header('x-oss-hash-crc64ecma')
  if (crc64) return crc64 === digest.crc64.toString()
  const etag = reply.header('etag')?.replaceAll('"', '').toUpperCase()
  return !etag || !/^[0-9A-F]{32}$/.test(etag) || etag === etagOfMd5(digest.md5)
}
