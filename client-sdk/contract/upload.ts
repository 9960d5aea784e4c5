import { z } from 'zod'
import { ByteCount, Crc64, Instant, PartNumber, PartSize, text, UploadId } from './primitives.ts'

export const uploadStates = ['pending', 'uploading', 'completing', 'completed', 'aborting', 'aborted'] as const
export const UploadState = z.enum(uploadStates).meta({ id: 'UploadState' })
/** `pending` and `uploading` are open, `completing` and `aborting` on their way to an end, `completed` and `aborted` are ends. */
export type UploadState = z.infer<typeof UploadState>

export const abortReasons = ['user', 'expired', 'upload-gone', 'integrity', 'key-taken'] as const
export const AbortReason = z.enum(abortReasons).meta({ id: 'AbortReason' })
export type AbortReason = z.infer<typeof AbortReason>

const maxMetadataBytes = 7 * 1024
// Each name travels as a header with this before it, and it counts towards OSS's own limit.
const metadataPrefix = 'x-oss-meta-'

export const Metadata = z
  .record(
    z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/, 'must be 1 to 64 of a-z, 0-9 and -')
      .refine((name) => !name.startsWith('partway-'), 'must not begin with partway-'),
    z
      .string()
      .regex(/^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$/, 'must be printable ASCII without spaces at its ends'),
  )
  .refine(
    (metadata) =>
      Object.entries(metadata).reduce(
        (sum, [name, value]) => sum + metadataPrefix.length + name.length + value.length,
        0,
      ) <= maxMetadataBytes,
    `must be at most ${maxMetadataBytes} bytes together`,
  )
  .meta({
    id: 'Metadata',
    description: 'Kept with the object as x-oss-meta-*; at most 7 KB together, each name with that prefix.',
  })

export const FileName = text(1024)
  .min(1)
  .meta({ id: 'FileName', description: 'The name shown to people: 1 to 1,024 bytes, no control characters.' })

export const ContentType = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+-]+( *; *[A-Za-z0-9!#$&^_.+-]+=([A-Za-z0-9!#$&^_.+-]+|"[\x20-\x21\x23-\x5b\x5d-\x7e]*"))*$/,
    'must be a media type',
  )
  .meta({ id: 'ContentType', description: 'A media type, kept as the object’s Content-Type.' })

export const Fingerprint = z
  .string()
  .regex(/^[A-Za-z0-9._~:+/=-]{1,200}$/, 'must be 1 to 200 of A-Z a-z 0-9 . _ ~ : + / = -')
  .meta({
    id: 'Fingerprint',
    description: 'Recognises the same file again. Chosen by the client; equal for equal files.',
  })

export const Upload = z
  .object({
    id: UploadId,
    state: UploadState,
    fileName: FileName,
    contentType: z.string(),
    metadata: z.record(z.string(), z.string()),
    sizeBytes: ByteCount,
    partSizeBytes: PartSize,
    partCount: z.int().min(0),
    bucket: z.string(),
    region: z.string(),
    key: z.string().meta({ description: 'The object’s key in the bucket.' }),
    uploadId: z
      .string()
      .nullable()
      .meta({ description: 'The multipart upload’s id at OSS; null while `pending`, and for an empty file.' }),
    fingerprint: z.string().nullable(),
    storedPartRanges: z
      .array(z.tuple([PartNumber, PartNumber]))
      .meta({ description: 'Stored parts as inclusive [first, last] ranges, as last reported or last read from OSS.' }),
    storedBytes: ByteCount,
    createdAt: Instant,
    lastActivityAt: Instant,
    expiresAt: Instant.meta({ description: 'When the upload ends if nothing more happens.' }),
    completedAt: Instant.nullable(),
    etag: z.string().nullable().meta({ description: 'The object’s ETag, without quotes; null before `completed`.' }),
    crc64: Crc64.nullable().meta({ description: 'The object’s CRC-64; null before `completed`.' }),
    abortReason: AbortReason.nullable(),
  })
  .meta({ id: 'Upload', description: 'One file on its way to one object.' })
export type Upload = z.infer<typeof Upload>
