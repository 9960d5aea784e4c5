import { z } from 'zod'
import { Instant, UploadId } from './primitives.ts'

/** What of an object is not as it was completed. */
export const ObjectChange = z
  .object({
    bucket: z.string(),
    key: z.string(),
    differences: z.array(
      z.object({
        what: z.enum(['tag', 'size', 'etag', 'crc64']).meta({ description: '`tag`: the upload’s id in its metadata.' }),
        completed: z.union([z.string(), z.number()]).nullable(),
        found: z.union([z.string(), z.number()]).nullable().meta({ description: 'Null: OSS tells none.' }),
      }),
    ),
  })
  .meta({ id: 'ObjectChange' })
export type ObjectChange = z.infer<typeof ObjectChange>

export const AdminEvent = z
  .object({
    id: z.string().meta({ description: 'Of this event, and of no other.' }),
    kind: z.enum(['object-changed']).meta({
      description: '`object-changed`: an object is not what was completed. Its credentials’ holder could do that.',
    }),
    tenant: z.string(),
    uploadId: UploadId.nullable(),
    detail: ObjectChange,
    createdAt: Instant,
  })
  .meta({ id: 'AdminEvent', description: 'Something an administrator should know about.' })
export type AdminEvent = z.infer<typeof AdminEvent>
