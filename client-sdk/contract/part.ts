import { z } from 'zod'
import { ByteCount, Crc64, ETag, Instant, Md5, PartNumber } from './primitives.ts'

/** A part as OSS's ListParts tells it. */
export const StoredPart = z
  .object({
    partNumber: PartNumber,
    sizeBytes: ByteCount,
    etag: z.string().meta({ description: 'Without quotes.' }),
    crc64: Crc64.nullable().meta({ description: 'Null where OSS does not report it.' }),
  })
  .meta({ id: 'StoredPart', description: 'A part that OSS holds.' })
export type StoredPart = z.infer<typeof StoredPart>

/** What a client says it has stored. A claim, checked against ListParts before anything depends on it. */
export const PartClaim = z
  .strictObject({ partNumber: PartNumber, etag: ETag.optional(), crc64: Crc64.optional() })
  .meta({ id: 'PartClaim', description: 'A part the client has sent.' })
export type PartClaim = z.infer<typeof PartClaim>

export const PartRequest = z
  .strictObject({
    partNumber: PartNumber,
    md5: Md5.optional().meta({ description: 'Bound into the URL: OSS then accepts no other bytes.' }),
  })
  .meta({ id: 'PartRequest', description: 'A part the client is about to send.' })
export type PartRequest = z.infer<typeof PartRequest>

export const PartGrant = z
  .object({
    partNumber: PartNumber,
    method: z.literal('PUT'),
    url: z.string().meta({ description: 'Presigned; a secret until it expires.' }),
    headers: z
      .record(z.string(), z.string())
      .meta({ description: 'Exactly the headers to set. Never Content-Length or Host: the HTTP stack sets those.' }),
    sizeBytes: ByteCount.meta({ description: 'The exact length of the body; bound into the URL.' }),
    expiresAt: Instant,
  })
  .meta({ id: 'PartGrant', description: 'Permission to PUT one part straight to OSS.' })
export type PartGrant = z.infer<typeof PartGrant>
