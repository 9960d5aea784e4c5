import { type DueEvent, postponeEvent, settleEvent } from '../db/delivery-rows.ts'
import type { Deps } from '../deps.ts'
import { messageOf } from './event-message.ts'
import { nextTryInSeconds } from './next-try.ts'
import type { Delivery, WebhookSender } from './webhook-sender.ts'

/** How long whoever tells an event has it for itself: longer than an attempt takes. */
export const LEASE_SECONDS = 30

/**
 * Tells the webhook of an event whose lease the caller holds, and records what came of it. A process that dies in between, or a database
 * that cannot be reached then, leaves the event to be told again after the lease: at least once. Rejects when `signal`
 * fires: then nobody knows what came of it, and the lease decides as well.
 */
export async function deliverEvent(
  deps: Pick<Deps, 'db' | 'metrics' | 'log'>,
  sender: WebhookSender,
  event: DueEvent,
  signal: AbortSignal,
): Promise<Delivery> {
  const delivery = await sender.send(messageOf(event), signal)
  deps.metrics.webhookAttempt(delivery.outcome)
  if (delivery.outcome === 'delivered') {
    await settleEvent(deps.db.prisma, event, 'delivered')
    return delivery
  }
  const { id: eventId, uploadId, tenant, attempts } = event
  const line = { eventId, uploadId, tenant, attempts, ...shown(delivery) }
  const retryInSeconds = nextTryInSeconds(attempts, Math.random())
  if (retryInSeconds === null) {
    await settleEvent(deps.db.prisma, event, 'given-up')
    deps.metrics.webhookGivenUp()
    deps.log.error(line, 'the webhook was never told of an event')
  } else {
    await postponeEvent(deps.db.prisma, event, retryInSeconds)
    deps.log.debug({ ...line, retryInSeconds }, 'the webhook is told of an event later')
  }
  return delivery
}

/** A failure as the log shows it: without the webhook's URL, which may hold a secret. */
export function shown(delivery: Delivery): Record<string, unknown> {
  const { outcome } = delivery
  return 'error' in delivery ? { outcome, err: delivery.error } : { outcome, status: delivery.status }
}
