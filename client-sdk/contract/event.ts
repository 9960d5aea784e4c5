import { z } from 'zod'
import { ByteCount, Instant, UploadId } from './primitives.ts'
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

/** An object that lies under the key of an upload that ended without one. */
export const ObjectLeft = z
  .object({
    bucket: z.string(),
    key: z.string(),
    reason: AbortReason.meta({ description: 'Why the upload ended.' }),
    sizeBytes: ByteCount.meta({ description: 'Of the object; the upload’s own may be another.' }),
  })
  .meta({ id: 'ObjectLeft' })
export type ObjectLeft = z.infer<typeof ObjectLeft>

const ofEvent = { id: z.string().meta({ description: 'Of this event, and of no other.' }), createdAt: Instant }
const objectChanged = {
  kind: z.literal('object-changed').meta({
    description: 'An object is not what was completed. Its credentials’ holder could do that.',
  }),
  detail: ObjectChange,
}
const objectLeft = {
  kind: z.literal('object-left').meta({
    description:
      'An upload ended without an object, but somebody else had completed it: the object stays, and is billed.',
  }),
  detail: ObjectLeft,
}

const ofTenant = { ...ofEvent, tenant: z.string(), uploadId: UploadId.nullable() }

export const AdminEvent = z
  .discriminatedUnion('kind', [z.object({ ...ofTenant, ...objectChanged }), z.object({ ...ofTenant, ...objectLeft })])
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

export const UploadEvent = z
  .discriminatedUnion('kind', [
    z.object({ ...ofEvent, kind: z.literal('state-changed'), detail: StateChange }),
    z.object({ ...ofEvent, ...objectChanged }),
    z.object({ ...ofEvent, ...objectLeft }),
  ])
  .meta({ id: 'UploadEvent', description: 'What happened to one upload.' })
export type UploadEvent = z.infer<typeof UploadEvent>
