import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'
import { ALL_TENANTS, type Measurement } from './usage-measurement-rows.ts'
import type { UsageAmount } from './usage-rows.ts'

/* Every statement on `usage_snapshots`: what open uploads held at full hours. The row of all tenants is there for each hour that was
 * written down; a tenant without a row held nothing then. */

/** Whether this hour is still to be written down. */
export async function isSnapshotDue(sql: Queries): Promise<boolean> {
  const rows = await sql.$queryRaw<unknown[]>`
    SELECT 1 FROM usage_snapshots WHERE tenant = ${ALL_TENANTS} AND taken_at = date_trunc('hour', now())`
  return rows.length === 0
}

/** Writes down what a count of this hour found. Again: nothing. */
export async function insertSnapshot(sql: Queries, { id }: Measurement): Promise<void> {
  await sql.$executeRaw`
    INSERT INTO usage_snapshots (tenant, taken_at, uploads, bytes)
    SELECT found.tenant, date_trunc('hour', now()), sum(found.uploads), sum(found.bytes)
    FROM (
      SELECT tenant, uploads, bytes FROM usage_amounts WHERE measurement_id = ${id}
      UNION ALL SELECT ${ALL_TENANTS}, 0, 0
    ) AS found
    GROUP BY found.tenant ON CONFLICT (tenant, taken_at) DO NOTHING`
}

/** Thins out one hour: of days that ended more than `hourlyDays` ago all but the first one, and all from more than `keptDays` ago. One at a
 *  time, for each has a row of every tenant. False: there is none left. */
export async function forgetSnapshot(
  sql: Queries,
  { hourlyDays, keptDays }: { hourlyDays: number; keptDays: number },
): Promise<boolean> {
  const days = (count: number) => Prisma.sql`make_interval(days => ${count}::int)`
  const forgotten = await sql.$executeRaw`
    DELETE FROM usage_snapshots WHERE taken_at = (
      SELECT taken_at FROM (
        SELECT taken_at, row_number() OVER (PARTITION BY date_trunc('day', taken_at) ORDER BY taken_at) AS of_day
        FROM usage_snapshots WHERE tenant = ${ALL_TENANTS}) AS hours
      WHERE (of_day > 1 AND taken_at < now() - ${days(hourlyDays)}) OR taken_at < now() - ${days(keptDays)}
      ORDER BY taken_at LIMIT 1)`
  return forgotten > 0
}

/** What a tenant held, or with null all together, at each hour that was written down in the last `days`; oldest first. */
export function listSnapshots(
  sql: Queries,
  tenant: string | null,
  days: number,
): Promise<(UsageAmount & { takenAt: Date })[]> {
  return sql.$queryRaw<(UsageAmount & { takenAt: Date })[]>`
    SELECT hour.taken_at AS "takenAt", coalesce(own.uploads, 0)::double precision AS uploads,
      coalesce(own.bytes, 0)::double precision AS bytes
    FROM usage_snapshots AS hour
    LEFT JOIN usage_snapshots AS own ON own.tenant = ${tenant ?? ALL_TENANTS} AND own.taken_at = hour.taken_at
    WHERE hour.tenant = ${ALL_TENANTS} AND hour.taken_at >= now() - make_interval(days => ${days}::int)
    ORDER BY hour.taken_at`
}
