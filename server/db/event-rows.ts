import type { AdminEvent, ObjectChange, UploadEvent } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'
import type { HeldRow } from './upload-rows.ts'

/* Every statement on `events`: what happened, and what an administrator should know about. */

/** One thing that an object should be and is not. Values as OSS tells them; null: it tells none. */
export type ObjectDifference = ObjectChange['differences'][number]

/** The instant as the database has it; each kind keeps its own detail. */
type Dated<Event> = Event extends unknown ? Omit<Event, 'createdAt'> & { createdAt: Date } : never

export type EventRow = Dated<AdminEvent>

const isHeldAndCompleted = ({ id, lease }: HeldRow) =>
  Prisma.sql`id = ${id} AND lease = ${lease} AND state = 'completed'`

/** When the webhook is to be told of an event that is written now: at once, if one has been seen within a day. */
const dueAt = Prisma.sql`CASE WHEN EXISTS (SELECT FROM webhooks WHERE seen_at > now() - interval '1 day') THEN now() END`

/** Nothing more is due on a completed row whose lease the caller holds. */
export async function closeCompleted(sql: Queries, held: HeldRow): Promise<void> {
  await sql.$executeRaw`UPDATE uploads SET due_at = NULL, attempts = 0 WHERE ${isHeldAndCompleted(held)}`
}

/** Records that a completed object has changed, and that nothing more is due on its row. False when somebody else holds the row. One
 *  statement: the event is there once, whoever crashes when. */
export async function recordObjectChanged(
  sql: Queries,
  held: HeldRow,
  differences: readonly ObjectDifference[],
): Promise<boolean> {
  const recorded = await sql.$executeRaw`
    WITH closed AS (
      UPDATE uploads SET due_at = NULL, attempts = 0 WHERE ${isHeldAndCompleted(held)} RETURNING id, tenant, bucket, key)
    INSERT INTO events (kind, tenant, upload_id, detail, due_at)
    SELECT 'object-changed', tenant, id,
      jsonb_build_object('bucket', bucket, 'key', key, 'differences', ${JSON.stringify(differences)}::jsonb),
      ${dueAt} FROM closed`
  return recorded === 1
}

/** Records that an object lies under the key of an upload that ended without one, and is left there. True once per upload, whoever sees it
 *  and however often: the index `events_object_left_key` allows one. Written under the lock of the row, as all of its events are. */
export async function recordObjectLeft(sql: Queries, uploadId: string, sizeBytes: number): Promise<boolean> {
  const recorded = await sql.$executeRaw`
    WITH ended AS (SELECT id, tenant, bucket, key, abort_reason FROM uploads WHERE id = ${uploadId} FOR UPDATE)
    INSERT INTO events (kind, tenant, upload_id, detail, due_at)
    SELECT 'object-left', tenant, id,
      jsonb_build_object('bucket', bucket, 'key', key, 'reason', abort_reason, 'sizeBytes', ${sizeBytes}::bigint),
      ${dueAt} FROM ended
    ON CONFLICT (upload_id) WHERE kind = 'object-left' DO NOTHING`
  return recorded === 1
}

/** What an administrator should know about, of one tenant or with null of all, newest first, beginning after `after`. Changes of state are
 *  no news of that kind. */
export function listEventRows(
  sql: Queries,
  tenant: string | null,
  page: { after: { createdAt: Date; id: string } | null; limit: number },
): Promise<EventRow[]> {
  const conditions = [Prisma.sql`kind <> 'state-changed'`]
  if (tenant !== null) conditions.push(Prisma.sql`tenant = ${tenant}`)
  if (page.after)
    conditions.push(Prisma.sql`(created_at, id) < (${page.after.createdAt}::timestamptz, ${page.after.id}::bigint)`)
  return sql.$queryRaw<EventRow[]>`
    SELECT id::text AS id, kind, tenant, upload_id AS "uploadId", detail, created_at AS "createdAt" FROM events
    WHERE ${Prisma.join(conditions, ' AND ')} ORDER BY events.created_at DESC, events.id DESC LIMIT ${page.limit}`
}

/** An event of one upload, as the contract has it. */
export type UploadEventRow = Dated<UploadEvent>

/** What happened to one upload, oldest first; of more than `limit` events the latest. */
export function findEventsOfUpload(sql: Queries, uploadId: string, limit: number): Promise<UploadEventRow[]> {
  return sql.$queryRaw<UploadEventRow[]>`
    SELECT id::text AS id, kind, detail, "createdAt" FROM (
      SELECT id, kind, detail, created_at AS "createdAt" FROM events WHERE upload_id = ${uploadId}
      ORDER BY id DESC LIMIT ${limit}) AS latest
    ORDER BY latest.id`
}

/**
 * Deletes changes of state that are older than `days` and that nobody is to be told of any more, in a walk through the table from its oldest
 * row on: `after` is where the last call came to, and null ends the walk. Reads at most `limit` rows. Ids and times grow together
 * but for a few transactions, so no index on the time is needed: the first page without an old row is the last.
 */
export async function forgetOldEvents(
  sql: Queries,
  days: number,
  page: { after: string; limit: number },
): Promise<string | null> {
  const [seen] = await sql.$queryRaw<{ last: string | null; old: bigint }[]>`
    WITH page AS (
      SELECT id, created_at <= now() - make_interval(days => ${days}::int) AS is_old,
        kind = 'state-changed' AND due_at IS NULL AS may_go
      FROM events WHERE id > ${page.after}::bigint ORDER BY id LIMIT ${page.limit}
    ), gone AS (DELETE FROM events USING page WHERE events.id = page.id AND is_old AND may_go)
    SELECT max(id)::text AS last, count(*) FILTER (WHERE is_old) AS old FROM page`
  return seen && seen.old > 0n ? seen.last : null
}
