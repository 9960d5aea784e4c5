import { createHash } from 'node:crypto'
import { disableWebhook, enableWebhook, forgetWaitingEvents } from '../db/delivery-rows.ts'
import type { Deps } from '../deps.ts'

const eventsPerStatement = 10_000

/**
 * Says in the database whether events are to be told: the trigger that writes them looks there. So a webhook is told what happens from
 * the moment on that it is switched on, and is not flooded with the past; with another URL, what still waits goes there.
 *
 * While instances with other variables run side by side, as in a rolling change, the one that started last decides. When a webhook is
 * switched on, instances that know of none tell nobody and change nothing. When one is switched off, those that know of it go on telling what
 * was due, until they stop. When its URL changes, each tells those events it takes at the URL it knows.
 */
export async function announceWebhook({ db, config }: Pick<Deps, 'db' | 'config'>): Promise<void> {
  if (config.webhook === null) return disableWebhook(db.prisma)
  // Left from one that was switched off.
  while ((await forgetWaitingEvents(db.prisma, eventsPerStatement)) === eventsPerStatement);
  await enableWebhook(db.prisma, createHash('sha256').update(config.webhook.url).digest('hex'))
}
