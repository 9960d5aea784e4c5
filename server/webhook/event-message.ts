import type { WebhookMessage } from '@partway/client/contract'
import type { DueEvent } from '../db/delivery-rows.ts'

/** An event as the webhook is told it. Its id is the same at every try, for the receiver to tell a repetition by. Nothing in it opens
 *  anything: no URL that is signed, no credentials. */
export function messageOf(event: DueEvent): { id: string; body: string } {
  return { id: `evt_${event.id}`, body: JSON.stringify(wireMessage(event)) }
}

function wireMessage(event: DueEvent): WebhookMessage {
  const { id, uploadId, tenant, subject, fileName, key, sizeBytes } = event
  const about = { eventId: id, uploadId, tenant, subject, fileName, key, sizeBytes }
  const timestamp = event.createdAt.toISOString()
  if (event.kind === 'object-changed') {
    return { type: 'object.changed', timestamp, data: { ...about, ...event.detail } }
  }
  if (event.kind === 'object-left') {
    return { type: 'object.left', timestamp, data: { ...about, ...event.detail } }
  }
  const { from, to, abortReason } = event.detail
  // The row may say more by now than it did then.
  const object = to === 'completed' ? { etag: event.etag, crc64: event.crc64 } : { etag: null, crc64: null }
  const type = to === null ? 'upload.removed' : (`upload.${to}` as const)
  return { type, timestamp, data: { ...about, from, to, abortReason, ...object } }
}
