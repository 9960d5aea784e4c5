import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'
import { freshLease, type HeldRow, isHeld, nextLease, nextLookAt, seconds } from './lease.ts'
import { type RawUpload, toUploadRow, type UploadRow, uploadColumns } from './upload-row.ts'

/*
 * Every statement of the looks at rows in `uploading`: what asks OSS about them, daily or because they seem stale. `due_at` is when the next
 * look is due. A row with `attempts` > 0 whose `due_at` lies ahead is somebody's: held for the length of a lease, or, beyond that, put off
 * after a failure. States stand as literals, so that partial indexes are used.
 */

/** Where a pass over stale uploads has come to. */
export type SweepPosition = { at: Date; id: string } | null

/** By what a pass finds and orders uploads: by their last activity, or by their creation. */
export type SweepOrder = { by: 'idle' | 'age'; olderThanSeconds: number; tenant: string | null }

const columns = { idle: Prisma.sql`last_activity_at`, age: Prisma.sql`created_at` }
const isFree = Prisma.sql`(attempts = 0 OR due_at <= now())`
const hasNoLiveGrant = Prisma.sql`coalesce(grants_alive_until < now(), TRUE)`

function isBeyond({ by, olderThanSeconds, tenant }: SweepOrder, bucket: string, after: SweepPosition): Prisma.Sql {
  const column = columns[by]
  const conditions = [
    Prisma.sql`state = 'uploading' AND ${column} < now() - ${seconds(olderThanSeconds)} AND bucket = ${bucket}`,
  ]
  if (tenant !== null) conditions.push(Prisma.sql`tenant = ${tenant}`)
  if (after) conditions.push(Prisma.sql`(${column}, id) > (${after.at}::timestamptz, ${after.id})`)
  return Prisma.join(conditions, ' AND ')
}

/** Where a pass stands after these rows, which are in its order. */
export function positionAfter(rows: readonly UploadRow[], order: SweepOrder, before: SweepPosition): SweepPosition {
  const last = rows.at(-1)
  if (!last) return before
  return { at: order.by === 'idle' ? last.lastActivityAt : last.createdAt, id: last.id }
}

/** Takes uploads that nobody may be sending any more, the stalest beyond `after` first. Instances never take the same ones. */
export async function claimStaleUploads(
  sql: Queries,
  bucket: string,
  order: SweepOrder,
  page: { after: SweepPosition; limit: number },
  leaseSeconds: number,
): Promise<UploadRow[]> {
  const column = columns[order.by]
  const rows = await sql.$queryRaw<RawUpload[]>`
    WITH stale AS (
      SELECT id AS stale_id FROM uploads
      WHERE ${isBeyond(order, bucket, page.after)} AND ${hasNoLiveGrant} AND ${isFree}
      ORDER BY ${column}, id LIMIT ${page.limit} FOR UPDATE SKIP LOCKED
    ), taken AS (
      UPDATE uploads SET ${nextLease(leaseSeconds)} FROM stale WHERE id = stale_id RETURNING ${uploadColumns}
    )
    SELECT * FROM taken ORDER BY ${order.by === 'idle' ? Prisma.sql`"lastActivityAt"` : Prisma.sql`"createdAt"`}, id`
  return rows.map(toUploadRow)
}

/** The same rows without taking them; with `isFree` false the others: granted to, held, or put off. */
export async function findStaleUploads(
  sql: Queries,
  bucket: string,
  order: SweepOrder,
  page: { after: SweepPosition; limit: number; isFree: boolean },
): Promise<UploadRow[]> {
  const rows = await sql.$queryRaw<RawUpload[]>`
    SELECT ${uploadColumns} FROM uploads
    WHERE ${isBeyond(order, bucket, page.after)} AND (${hasNoLiveGrant} AND ${isFree}) = ${page.isFree}
    ORDER BY ${columns[order.by]}, id LIMIT ${page.limit}`
  return rows.map(toUploadRow)
}

/** Takes uploads that OSS is to be asked about by now, the longest overdue first. */
export async function claimDueLooks(
  sql: Queries,
  bucket: string,
  limit: number,
  leaseSeconds: number,
): Promise<UploadRow[]> {
  const rows = await sql.$queryRaw<RawUpload[]>`
    WITH due AS (
      SELECT id AS due_id FROM uploads WHERE state = 'uploading' AND due_at <= now() AND bucket = ${bucket}
      ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
    )
    UPDATE uploads SET ${nextLease(leaseSeconds)} FROM due WHERE id = due_id RETURNING ${uploadColumns}`
  return rows.map(toUploadRow)
}

/** Takes one upload because somebody asks for it: unless another is at it, and also when it was put off. */
export async function claimLook(sql: Queries, id: string, leaseSeconds: number): Promise<UploadRow | null> {
  const [row] = await sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET ${nextLease(leaseSeconds)}
    WHERE id = ${id} AND state = 'uploading' AND (${isFree} OR due_at > now() + ${seconds(leaseSeconds)})
    RETURNING ${uploadColumns}`
  return row ? toUploadRow(row) : null
}

/** After a look that left the upload as it was: the next one is due in its time. */
export async function endLook(sql: Queries, held: HeldRow): Promise<void> {
  await sql.$executeRaw`
    UPDATE uploads SET due_at = ${nextLookAt}, attempts = 0 WHERE ${isHeld(held)} AND state = 'uploading'`
}

/** What must still be true of an upload at the moment it is given up: that its life is over, or that nothing happened since it was looked at. */
export type AbortCondition =
  | { reason: 'expired'; staleAfterSeconds: number; ttlSeconds: number }
  | { reason: 'user'; lastActivityAt: Date }

/** uploading → aborting by whoever holds the look and has read ListParts. The row lock decides the race with a grant: none may be alive. */
export async function beginSweepAbort(
  sql: Queries,
  held: HeldRow,
  condition: AbortCondition,
  leaseSeconds: number,
): Promise<UploadRow | null> {
  const isMet =
    condition.reason === 'user'
      ? Prisma.sql`last_activity_at = ${condition.lastActivityAt}::timestamptz`
      : Prisma.sql`(last_activity_at < now() - ${seconds(condition.staleAfterSeconds)}
          OR created_at < now() - ${seconds(condition.ttlSeconds)})`
  const [row] = await sql.$queryRaw<RawUpload[]>`
    UPDATE uploads SET state = 'aborting', ${freshLease(leaseSeconds)}, abort_reason = ${condition.reason},
      reconciled_at = now()
    WHERE ${isHeld(held)} AND state = 'uploading' AND ${hasNoLiveGrant} AND ${isMet} RETURNING ${uploadColumns}`
  return row ? toUploadRow(row) : null
}

/** Gives rows without a next look one: those that an instance of an older release moved. Returns how many. */
export function scheduleLooks(sql: Queries, limit: number): Promise<number> {
  return sql.$executeRaw`
    UPDATE uploads SET due_at = now() + random() * interval '20 hours' WHERE state = 'uploading' AND due_at IS NULL AND id IN (
      SELECT id FROM uploads WHERE state = 'uploading' AND due_at IS NULL LIMIT ${limit} FOR UPDATE SKIP LOCKED)`
}
