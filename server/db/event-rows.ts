import type { AdminEvent, ObjectChange, UploadEvent } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'
import type { HeldRow } from './upload-rows.ts'

/* Every statement on `events`: what happened, and what an administrator should know about. */

/** One thing that an object should be and is not. Values as OSS tells them; null: it tells none. */
export type ObjectDifference = ObjectChange['differences'][number]

export type EventRow = Omit<AdminEvent, 'createdAt'> & { createdAt: Date }

const isHeldAndCompleted = ({ id, lease }: HeldRow) =>
  Prisma.sql`id = ${id} AND lease = ${lease} AND state = 'completed'`

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
    INSERT INTO events (kind, tenant, upload_id, detail)
    SELECT 'object-changed', tenant, id,
      jsonb_build_object('bucket', bucket, 'key', key, 'differences', ${JSON.stringify(differences)}::jsonb) FROM closed`
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

/** The instant as the database has it; each kind keeps its own detail. */
type Dated<Event> = Event extends unknown ? Omit<Event, 'createdAt'> & { createdAt: Date } : never

/** What happened to one upload, oldest first; of more than `limit` events the latest. */
export function findEventsOfUpload(sql: Queries, uploadId: string, limit: number): Promise<UploadEventRow[]> {
  return sql.$queryRaw<UploadEventRow[]>`
    SELECT id::text AS id, kind, detail, "createdAt" FROM (
      SELECT id, kind, detail, created_at AS "createdAt" FROM events WHERE upload_id = ${uploadId}
      ORDER BY id DESC LIMIT ${limit}) AS latest
    ORDER BY latest.id`
}
