import { ageBands } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import type { Database, Queries } from './client.ts'
import { lockName } from './upload-rows.ts'

/* Every statement that counts the open uploads. Whoever counts has a lease on its measurement and extends it with each step; one whose
 * lease has run out is replaced by the next, and finds its measurement gone. */

/** One count, as whoever makes it knows it. */
export interface Measurement {
  id: bigint
}

/** How far a count has come: the place of its last row in the index it reads. */
export interface MeasuredTo {
  tenant: string
  state: string
  createdAt: Date
  id: string
}

/** What counts as stale. */
export interface StaleAfter {
  staleAfterSeconds: number
  ttlSeconds: number
}

/** The tenant of what all have together. */
export const ALL_TENANTS = '*'

const LEASE = Prisma.raw(`interval '60 seconds'`)

/** A new count, unless somebody is counting. */
export function beginMeasurement(db: Pick<Database, 'transaction'>): Promise<Measurement | null> {
  return db.transaction(async (sql) => {
    await lockName(sql, 'usage measurement')
    const [underWay] = await sql.$queryRaw<unknown[]>`
      SELECT 1 FROM usage_measurements WHERE finished_at IS NULL AND due_at > now() LIMIT 1`
    if (underWay) return null
    await sql.$executeRaw`
      WITH dead AS (DELETE FROM usage_measurements WHERE finished_at IS NULL AND due_at <= now() RETURNING id)
      DELETE FROM usage_amounts USING dead WHERE measurement_id = dead.id`
    const [begun] = await sql.$queryRaw<Measurement[]>`
      INSERT INTO usage_measurements (due_at) VALUES (now() + ${LEASE}) RETURNING id`
    return begun ?? null
  })
}

const seconds = (count: number) => Prisma.sql`make_interval(secs => ${count}::double precision)`

/** The band of `age` as SQL, an interval. */
const ageBand = Prisma.raw(
  `CASE ${ageBands
    .map(({ band, toSeconds }) =>
      toSeconds === null ? `ELSE '${band}'` : `WHEN age < interval '${toSeconds} seconds' THEN '${band}'`,
    )
    .join(' ')} END`,
)

/**
 * Adds the next `limit` open uploads to a count, in one statement: its amounts and its lease move together. It reads nothing but an index
 * of open uploads, in its order. Returns how many rows it added and where it stopped; null when the measurement is somebody else's by now.
 * Must not be repeated when it failed: it may have happened.
 */
export async function measureNext(
  sql: Queries,
  { id }: Measurement,
  after: MeasuredTo | null,
  { staleAfterSeconds, ttlSeconds }: StaleAfter,
  limit: number,
): Promise<{ rows: number; measuredTo: MeasuredTo | null } | null> {
  const further = after
    ? Prisma.sql`(tenant, state, created_at, id)
        > (${after.tenant}, ${after.state}, ${after.createdAt}::timestamptz, ${after.id})`
    : Prisma.sql`TRUE`
  const [step] = await sql.$queryRaw<(MeasuredTo & { rows: number })[]>`
    WITH held AS (
      UPDATE usage_measurements SET due_at = now() + ${LEASE} WHERE id = ${id} AND finished_at IS NULL
      RETURNING id, started_at
    ), chunk AS MATERIALIZED (
      SELECT tenant, state, created_at, id, last_activity_at, stored_bytes FROM uploads
      WHERE state IN ('pending', 'uploading', 'completing', 'aborting') AND ${further}
      ORDER BY tenant, state, created_at, id LIMIT ${Prisma.raw(String(limit))}
    ), told AS (
      SELECT held.id AS measurement_id, tenant, state, stored_bytes, held.started_at - created_at AS age,
        last_activity_at <= held.started_at - ${seconds(staleAfterSeconds)}
          OR created_at <= held.started_at - ${seconds(ttlSeconds)} AS is_stale
      FROM chunk CROSS JOIN held
    ), banded AS (SELECT told.*, ${ageBand} AS age_band FROM told),
    added AS (
      INSERT INTO usage_amounts AS known (measurement_id, tenant, state, age_band, uploads, bytes, stale_uploads, stale_bytes)
      SELECT measurement_id, coalesce(tenant, ${ALL_TENANTS}), state, age_band, count(*), sum(stored_bytes)::bigint,
        count(*) FILTER (WHERE is_stale), coalesce(sum(stored_bytes) FILTER (WHERE is_stale), 0)::bigint
      FROM banded GROUP BY GROUPING SETS ((measurement_id, tenant, state, age_band), (measurement_id, state, age_band))
      ON CONFLICT (measurement_id, tenant, state, age_band) DO UPDATE SET
        uploads = known.uploads + excluded.uploads, bytes = known.bytes + excluded.bytes,
        stale_uploads = known.stale_uploads + excluded.stale_uploads, stale_bytes = known.stale_bytes + excluded.stale_bytes
    )
    SELECT counted.rows, last.tenant, last.state, last.created_at AS "createdAt", last.id
    FROM held CROSS JOIN (SELECT count(*)::int AS rows FROM chunk) AS counted
    LEFT JOIN (SELECT * FROM chunk ORDER BY tenant DESC, state DESC, created_at DESC, id DESC LIMIT 1) AS last ON TRUE`
  if (!step) return null
  const { rows, ...measuredTo } = step
  return { rows, measuredTo: rows > 0 ? measuredTo : null }
}

/** Makes a count the current one. False when it is somebody else's by now. The one before it stays, for who is reading it. */
export async function finishMeasurement(sql: Queries, { id }: Measurement): Promise<boolean> {
  const finished = await sql.$executeRaw`
    UPDATE usage_measurements SET finished_at = now() WHERE id = ${id} AND finished_at IS NULL`
  if (finished === 0) return false
  await sql.$executeRaw`
    WITH old AS (
      DELETE FROM usage_measurements WHERE finished_at IS NOT NULL AND id NOT IN (
        SELECT id FROM usage_measurements WHERE finished_at IS NOT NULL ORDER BY id DESC LIMIT 2)
      RETURNING id)
    DELETE FROM usage_amounts USING old WHERE measurement_id = old.id`
  return true
}

/** Forgets a count that came to no end, so that nobody waits for its lease. */
export async function dropMeasurement(sql: Queries, { id }: Measurement): Promise<void> {
  await sql.$executeRaw`
    WITH dropped AS (DELETE FROM usage_measurements WHERE id = ${id} AND finished_at IS NULL RETURNING id)
    DELETE FROM usage_amounts USING dropped WHERE measurement_id = dropped.id`
}

export interface FinishedMeasurement extends Measurement {
  startedAt: Date
  /** By the database's clock. */
  ageSeconds: number
}

/** The count that summaries are made from. */
export async function findMeasurement(sql: Queries): Promise<FinishedMeasurement | null> {
  const [row] = await sql.$queryRaw<FinishedMeasurement[]>`
    SELECT id, started_at AS "startedAt", extract(epoch FROM now() - started_at)::double precision AS "ageSeconds"
    FROM usage_measurements WHERE finished_at IS NOT NULL ORDER BY id DESC LIMIT 1`
  return row ?? null
}
