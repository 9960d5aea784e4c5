import { setTimeout as delay } from 'node:timers/promises'
import type { WebhookConfig } from '../config.ts'
import { claimDueEvents, type DueEvent } from '../db/delivery-rows.ts'
import type { Deps } from '../deps.ts'
import { announceWebhook } from './announce-webhook.ts'
import { deliverEvent, LEASE_SECONDS, shown } from './deliver-event.ts'
import type { ResolveHost } from './public-address.ts'
import { createWebhookSender } from './webhook-sender.ts'

/** Deliveries of one instance at the same time. */
const MAX_DELIVERIES = 8
const LOOK_EVERY_MS = 1_000
const AFTER_FAILURE_MS = 5_000
const ANNOUNCE_EVERY_MS = 60_000
/** How long deliveries under way may take to end when the server stops. Those cut are told again after their lease. */
const GRACE_MS = 3_000

type WebhookDeps = Pick<Deps, 'config' | 'db' | 'now' | 'log' | 'metrics'>

/** Tells the configured webhook of events, beside requests; does nothing without one. Every instance does; a database that is down is
 *  logged and asked again. `resolve` replaces the system's resolver. */
export function startWebhook(deps: WebhookDeps, resolve?: ResolveHost): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const cutting = new AbortController()
  const running = run(deps, { stopping: stopping.signal, cutting: cutting.signal, resolve })
  return {
    async stop() {
      stopping.abort()
      const timer = setTimeout(() => cutting.abort(), GRACE_MS)
      await running
      clearTimeout(timer)
    },
  }
}

interface Run {
  stopping: AbortSignal
  cutting: AbortSignal
  resolve: ResolveHost | undefined
}

async function run(deps: WebhookDeps, { stopping, cutting, resolve }: Run): Promise<void> {
  const pause = (ms: number, ends: Iterable<Promise<void>> = []) => firstOf(ends, ms, stopping)
  const logged = (error: unknown) => deps.log.error({ err: error }, 'the webhook could not be served')
  const { webhook } = deps.config
  if (webhook === null) return
  const deliverer = createDeliverer(deps, webhook, resolve)
  const underWay = new Set<Promise<void>>()
  const begin = (event: DueEvent) => {
    const delivery = deliverer
      .deliver(event, cutting)
      .catch((error: unknown) => (cutting.aborted ? undefined : logged(error)))
      .finally(() => underWay.delete(delivery))
    underWay.add(delivery)
  }
  let announceAtMs = 0
  while (!stopping.aborted) {
    try {
      if (performance.now() >= announceAtMs) {
        const forgotten = await announceWebhook(deps, webhook)
        if (forgotten > 0) deps.log.warn({ forgotten }, 'events waited for a webhook that was switched off for a day')
        announceAtMs = performance.now() + ANNOUNCE_EVERY_MS
      }
      const events = await claimDueEvents(deps.db.prisma, MAX_DELIVERIES - underWay.size, LEASE_SECONDS)
      events.forEach(begin)
      // What ends leaves a place, and may make another event of its upload due at once.
      if (underWay.size === MAX_DELIVERIES) await Promise.race(underWay)
      else if (events.length === 0) await pause(LOOK_EVERY_MS, underWay)
    } catch (error) {
      logged(error)
      await pause(AFTER_FAILURE_MS)
    }
  }
  await Promise.all(underWay)
  await deliverer.close()
}

/** Waits until one of `ends` has come, or so long. Leaves no timer and no listener behind: it is asked for with every event. */
async function firstOf(ends: Iterable<Promise<void>>, ms: number, stopping: AbortSignal): Promise<void> {
  const over = new AbortController()
  const signal = AbortSignal.any([stopping, over.signal])
  await Promise.race([...ends, delay(ms, undefined, { signal }).catch(() => {})])
  over.abort()
}

/** Delivers, and says in the log when the webhook begins to fail and when it works again: not for each of many events. */
function createDeliverer(deps: WebhookDeps, webhook: WebhookConfig, resolve: ResolveHost | undefined) {
  const sender = createWebhookSender(webhook, { now: deps.now, resolve, connections: MAX_DELIVERIES })
  let isFailing = false
  return {
    async deliver(event: DueEvent, signal: AbortSignal): Promise<void> {
      const delivery = await deliverEvent(deps, sender, event, signal)
      const fails = delivery.outcome !== 'delivered'
      if (fails === isFailing) return
      isFailing = fails
      const line = { eventId: event.id, ...shown(delivery) }
      if (fails) deps.log.warn(line, 'the webhook cannot be told of events')
      else deps.log.info(line, 'the webhook is told of events again')
    },
    close: () => sender.close(),
  }
}
