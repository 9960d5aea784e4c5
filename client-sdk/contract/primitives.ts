import { z } from 'zod'
import { MAX_PART_BYTES, MAX_PARTS, MIN_PART_BYTES } from './part-plan.ts'

// In a `u` pattern, \p{Cs} matches only surrogates without their partner. Postgres refuses NUL and lone surrogates in text,
// and the rest of the control characters have no place in a file name or a header.
const cleanText = /^[^\p{Cc}\p{Cs}]*$/u

/** Text that can be stored and sent anywhere: no control characters, no lone surrogates. `maxBytes` counts UTF-8. */
export function text(maxBytes: number) {
  return z
    .string()
    .regex(cleanText, 'must not contain control characters or lone surrogates')
    .refine((value) => new TextEncoder().encode(value).length <= maxBytes, `must be at most ${maxBytes} bytes of UTF-8`)
}

export const UploadId = z
  .string()
  .regex(/^upl_[0-9a-f]{32}$/, 'must be an upload id')
  .meta({ id: 'UploadId', description: 'Identifies an upload: `upl_` and 128 random bits in hex.' })

export const ByteCount = z.int().min(0).meta({ id: 'ByteCount', description: 'A number of bytes.' })

export const PartNumber = z
  .int()
  .min(1)
  .max(MAX_PARTS)
  .meta({ id: 'PartNumber', description: 'A part, counted from 1.' })

export const PartSize = z
  .int()
  .min(MIN_PART_BYTES)
  .max(MAX_PART_BYTES)
  .meta({ id: 'PartSize', description: 'The size of every part but the last, in bytes: 1 MiB to 5 GiB.' })

export const Instant = z.iso
  .datetime({ offset: false })
  .meta({ id: 'Instant', description: 'A moment in UTC, ISO 8601 with milliseconds.' })

export const Crc64 = z
  .string()
  // Aborts: the next check reads the text as a number, and zod would run it all the same.
  .regex(/^(0|[1-9][0-9]{0,19})$/, { error: 'must be an unsigned decimal', abort: true })
  .refine((value) => BigInt(value) < 1n << 64n, 'must be below 2^64')
  .meta({ id: 'Crc64', description: 'CRC-64/XZ as an unsigned decimal string, as in `x-oss-hash-crc64ecma`.' })

export const Md5 = z
  .string()
  .regex(/^[A-Za-z0-9+/]{21}[AQgw]==$/, 'must be 16 bytes in base64')
  .meta({ id: 'Md5', description: 'An MD5 digest in base64, as in `Content-MD5`.' })

export const ETag = z
  .string()
  .regex(/^"?[0-9A-Fa-f]{32}(-[0-9]{1,5})?"?$/, 'must be an OSS ETag')
  .meta({ id: 'ETag', description: 'An ETag as OSS gave it: upper-case hex, with or without its quotes.' })
