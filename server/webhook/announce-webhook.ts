import { createHash } from 'node:crypto'
import { forgetWaitingEvents, keepWebhook } from '../db/delivery-rows.ts'
import type { Deps } from '../deps.ts'

const eventsPerStatement = 10_000

/**
 * Says in the database that events are to be told: the trigger that writes them looks there. Said by every instance that knows of the
 * webhook, at its start and every minute, and it holds for a day. So a webhook is told what happens from the moment on that it is switched on,
 * and is not flooded with the past, but misses nothing while instances are restarted or changed one by one: those that know of no webhook
 * change nothing. A day after it was switched off, what still waits is let go of when it is switched on again. With another URL, what waits
 * goes there; while both are in use, each instance tells the events it takes at the URL it knows. Returns how many events were let go of.
 */
export async function announceWebhook({ db }: Pick<Deps, 'db'>, { url }: { url: string }): Promise<number> {
  let forgotten = 0
  for (let some = eventsPerStatement; some === eventsPerStatement; forgotten += some) {
    some = await forgetWaitingEvents(db.prisma, eventsPerStatement)
  }
  await keepWebhook(db.prisma, createHash('sha256').update(url).digest('hex'))
  return forgotten
}
