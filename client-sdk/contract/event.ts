import { z } from 'zod'
import { Instant, UploadId } from './primitives.ts'
import { AbortReason, UploadState } from './upload.ts'

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

export const StateChange = z
  .object({
    from: UploadState.nullable().meta({ description: 'Null: the upload was created.' }),
    to: UploadState.nullable().meta({ description: 'Null: OSS refused to start it, and the row was taken back.' }),
    abortReason: AbortReason.nullable(),
  })
  .meta({ id: 'StateChange' })
export type StateChange = z.infer<typeof StateChange>

const ofUpload = { id: AdminEvent.shape.id, createdAt: Instant }

export const UploadEvent = z
  .discriminatedUnion('kind', [
    z.object({ ...ofUpload, kind: z.literal('state-changed'), detail: StateChange }),
    z.object({ ...ofUpload, kind: z.literal('object-changed'), detail: ObjectChange }),
  ])
  .meta({ id: 'UploadEvent', description: 'What happened to one upload.' })
export type UploadEvent = z.infer<typeof UploadEvent>
