import type { ObjectChange, ObjectLeft, StateChange } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'

/* Every statement about telling the webhook of `events`. An event that is to be told has a due_at: when next. While somebody tells it, that is
 * the end of their lease, and `attempts` names the lease. Within an upload an event waits for all before it. */

const seconds = (count: number) => Prisma.sql`make_interval(secs => ${count}::double precision)`

/** An event, and what its upload's row says about it; null when the row is gone. */
export type DueEvent = {
  id: string
  tenant: string
  uploadId: string | null
  createdAt: Date
  /** With the one that begins now. */
  attempts: number
  subject: string | null
  fileName: string | null
  key: string | null
  sizeBytes: number | null
  etag: string | null
  crc64: string | null
} & (
  | { kind: 'state-changed'; detail: StateChange }
  | { kind: 'object-changed'; detail: ObjectChange }
  | { kind: 'object-left'; detail: ObjectLeft }
)

/**
 * Takes up to `limit` events that are due, the longest overdue first, and of each upload at most its earliest, for `leaseSeconds`. Instances
 * never take the same one. An upload's events have ids in the order they happened in: each was written under the lock of its row.
 */
export async function claimDueEvents(sql: Queries, limit: number, leaseSeconds: number): Promise<DueEvent[]> {
  const rows = await sql.$queryRaw<(Omit<DueEvent, 'sizeBytes'> & { sizeBytes: bigint | null })[]>`
    WITH due AS (
      SELECT id FROM events AS event
      WHERE due_at <= now() AND NOT coalesce(event.id > (
        SELECT min(earlier.id) FROM events AS earlier
        WHERE earlier.upload_id = event.upload_id AND earlier.due_at IS NOT NULL), FALSE)
      ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ), taken AS (
      UPDATE events SET due_at = now() + ${seconds(leaseSeconds)}, attempts = attempts + 1
      FROM due WHERE events.id = due.id RETURNING events.*)
    SELECT taken.id::text AS id, taken.kind, taken.tenant, taken.upload_id AS "uploadId", taken.detail, taken.attempts,
      taken.created_at AS "createdAt", uploads.subject, uploads.file_name AS "fileName", uploads.key,
      uploads.size_bytes AS "sizeBytes", uploads.etag, uploads.crc64
    FROM taken LEFT JOIN uploads ON uploads.id = taken.upload_id ORDER BY taken.id`
  return rows.map((row) => ({ ...row, sizeBytes: row.sizeBytes === null ? null : Number(row.sizeBytes) }) as DueEvent)
}

/** Nothing more is due on an event; the next one of its upload is, at once. That it was delivered is true whoever says so; it is given up
 *  only by the holder of its lease. */
export async function settleEvent(
  sql: Queries,
  { id, attempts }: Pick<DueEvent, 'id' | 'attempts'>,
  how: 'delivered' | 'given-up',
): Promise<void> {
  const isDelivered = how === 'delivered'
  await sql.$executeRaw`
    WITH settled AS (
      UPDATE events SET due_at = NULL, delivered_at = ${isDelivered ? Prisma.sql`now()` : Prisma.sql`NULL`}
      WHERE id = ${id}::bigint AND due_at IS NOT NULL AND (${isDelivered} OR attempts = ${attempts})
      RETURNING id, upload_id)
    UPDATE events SET due_at = now() FROM settled
    WHERE events.due_at > now() AND events.id = (
      SELECT min(later.id) FROM events AS later
      WHERE later.upload_id = settled.upload_id AND later.id > settled.id AND later.due_at IS NOT NULL)`
}

/** An event is tried again later. Those of its upload that wait for it are due no sooner: nobody need look at them in vain. */
export async function postponeEvent(
  sql: Queries,
  { id, attempts }: Pick<DueEvent, 'id' | 'attempts'>,
  inSeconds: number,
): Promise<void> {
  await sql.$executeRaw`
    WITH postponed AS (
      UPDATE events SET due_at = now() + ${seconds(inSeconds)}
      WHERE id = ${id}::bigint AND due_at IS NOT NULL AND attempts = ${attempts} RETURNING id, upload_id, due_at)
    UPDATE events SET due_at = postponed.due_at FROM postponed
    WHERE events.upload_id = postponed.upload_id AND events.id > postponed.id AND events.due_at < postponed.due_at`
}

/** For a day from now on events are to be told, at the webhook of this id in place of any other. One statement: of two at once, at least one's
 *  row is left. */
export async function keepWebhook(sql: Queries, id: string): Promise<void> {
  await sql.$executeRaw`
    WITH others AS (DELETE FROM webhooks WHERE id <> ${id})
    INSERT INTO webhooks (id) VALUES (${id}) ON CONFLICT (id) DO UPDATE SET seen_at = now()`
}

/** Lets go of up to `limit` events that were waiting for a webhook that nobody has served for a day. Of none while there is one, which the
 *  same snapshot says: an event that one is to be told was written after its row. Returns how many. */
export function forgetWaitingEvents(sql: Queries, limit: number): Promise<number> {
  return sql.$executeRaw`
    UPDATE events SET due_at = NULL WHERE NOT EXISTS (SELECT FROM webhooks WHERE seen_at > now() - interval '1 day') AND id IN (
      SELECT id FROM events WHERE due_at IS NOT NULL LIMIT ${limit} FOR UPDATE SKIP LOCKED)`
}
