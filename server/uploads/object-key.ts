import { createHash } from 'node:crypto'
import { encodeRfc3986 } from '@partway/client/contract'

const plainSegment = /^[A-Za-z0-9._-]{1,64}$/
const maxNameBytes = 200
const maxExtensionBytes = 32

/**
 * The key of an upload's object: `{prefix}{tenant}/{random}/{file name}`, made by the server only.
 * `random` is 128 bits in hex, so a key is never used twice. At most prefix + 64 + 32 + 200 + 2 bytes.
 */
export function objectKey(prefix: string, tenant: string, random: string, fileName: string): string {
  return `${prefix}${keySegment(tenant)}/${random}/${cleanFileName(fileName)}`
}

/** A tenant or subject as a segment of a key: itself when it is plain, else `~` and 32 hex digits of its SHA-256. `~` is not
 *  a plain character, so the two never meet; no wildcard or separator of a RAM policy can get in. */
export function keySegment(text: string): string {
  if (plainSegment.test(text) && text !== '.' && text !== '..') return text
  return `~${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
}

/** A file name fit for a key: without `/ \ * ? $` and control characters, never `.` or `..` (HTTP stacks fold such segments), at most
 *  200 bytes of UTF-8 with its extension kept. The true name stays in the row. */
export function cleanFileName(fileName: string): string {
  const safe = fileName.replace(/[/\\*?$\p{Cc}]/gu, '_')
  if (/^\.{1,2}$/.test(safe)) return '_'.repeat(safe.length)
  if (Buffer.byteLength(safe) <= maxNameBytes) return safe
  const dot = safe.lastIndexOf('.')
  const extension = dot > 0 && Buffer.byteLength(safe.slice(dot)) <= maxExtensionBytes ? safe.slice(dot) : ''
  const stem = extension ? safe.slice(0, dot) : safe
  return cutToBytes(stem, maxNameBytes - Buffer.byteLength(extension)) + extension
}

function cutToBytes(text: string, maxBytes: number): string {
  let cut = ''
  let sizeBytes = 0
  for (const character of text) {
    sizeBytes += Buffer.byteLength(character)
    if (sizeBytes > maxBytes) break
    cut += character
  }
  return cut
}

/** `attachment` with the true name, for a Content-Disposition header: RFC 6266 with the extended form of RFC 5987. The plain form is
 *  ASCII, for clients that know no other. */
export function contentDisposition(fileName: string): string {
  const plain = fileName.replace(/[^\x20-\x7e]/gu, '_').replace(/["\\%]/g, '_')
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeRfc3986(fileName)}`
}
