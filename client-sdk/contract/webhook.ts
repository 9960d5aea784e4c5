import { z } from 'zod'
import { ObjectChange, ObjectLeft, StateChange } from './event.ts'
import { ByteCount, Crc64, Instant, UploadId } from './primitives.ts'
import { UploadState } from './upload.ts'

const about = {
  eventId: z.string().meta({ description: 'The same at every try, and in `webhook-id` after `evt_`.' }),
  uploadId: UploadId.nullable(),
  tenant: z.string(),
  subject: z.string().nullable(),
  fileName: z.string().nullable(),
  key: z.string().nullable(),
  sizeBytes: ByteCount.nullable(),
}

const states = UploadState.options.map((state) => `upload.${state}` as const)

/** What the operator’s webhook is sent, as Standard Webhooks has it. What stands in the row of an upload is null once that row is gone. */
export const WebhookMessage = z
  .discriminatedUnion('type', [
    z.object({
      type: z.enum([...states, 'upload.removed']).meta({
        description: 'The state an upload has entered; `upload.removed`: OSS refused to start it.',
      }),
      timestamp: Instant.meta({ description: 'When it happened.' }),
      data: z.object({
        ...about,
        ...StateChange.shape,
        etag: z.string().nullable().meta({ description: 'Of the object, with `upload.completed`.' }),
        crc64: Crc64.nullable().meta({ description: 'Of the object, with `upload.completed`.' }),
      }),
    }),
    z.object({
      type: z.literal('object.changed'),
      timestamp: Instant,
      data: z.object({ ...about, ...ObjectChange.shape }),
    }),
    z.object({
      type: z.literal('object.left'),
      timestamp: Instant,
      data: z.object({ ...about, ...ObjectLeft.shape }),
    }),
  ])
  .meta({ id: 'WebhookMessage' })
export type WebhookMessage = z.infer<typeof WebhookMessage>
