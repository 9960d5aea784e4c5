import type { Sweep } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'

/* Every statement on `sweeps`: the reports of sweeps, written while they run. */

/** What a sweep is about; stays as it is. */
export interface SweepOrigin {
  /** `swp_` and 32 hex digits. */
  id: string
  kind: Sweep['kind']
  isDryRun: boolean
  by: Sweep['by']
  tenant: string | null
  olderThanSeconds: number | null
}

export type SweepCounts = Pick<Sweep, 'examined' | 'aborted' | 'finished' | 'left' | 'failed' | 'freedBytes'>

export interface SweepRow extends SweepOrigin, SweepCounts {
  startedAt: Date
  finishedAt: Date | null
}

type RawSweep = Omit<SweepRow, 'by' | 'freedBytes'> & {
  byTenant: string | null
  bySubject: string | null
  freedBytes: bigint
}

const columns = Prisma.sql`id, kind, is_dry_run AS "isDryRun", by_tenant AS "byTenant", by_subject AS "bySubject", tenant,
  older_than_seconds AS "olderThanSeconds", started_at AS "startedAt", finished_at AS "finishedAt",
  examined, aborted, finished, "left", failed, freed_bytes AS "freedBytes"`

function toSweepRow({ byTenant, bySubject, freedBytes, ...rest }: RawSweep): SweepRow {
  const by = byTenant === null || bySubject === null ? null : { tenant: byTenant, subject: bySubject }
  return { ...rest, by, freedBytes: Number(freedBytes) }
}

/** Writes how far a sweep has come. The first time begins its report; again with the same numbers changes nothing. */
export async function saveSweep(
  sql: Queries,
  origin: SweepOrigin,
  counts: SweepCounts,
  isFinished: boolean,
): Promise<SweepRow> {
  const { examined, aborted, finished, left, failed, freedBytes } = counts
  const finishedAt = isFinished ? Prisma.sql`now()` : Prisma.sql`NULL`
  const [row] = await sql.$queryRaw<RawSweep[]>`
    INSERT INTO sweeps (id, kind, is_dry_run, by_tenant, by_subject, tenant, older_than_seconds, finished_at,
      examined, aborted, finished, "left", failed, freed_bytes)
    VALUES (${origin.id}, ${origin.kind}, ${origin.isDryRun}, ${origin.by?.tenant ?? null}, ${origin.by?.subject ?? null},
      ${origin.tenant}, ${origin.olderThanSeconds}::int, ${finishedAt},
      ${examined}::int, ${aborted}::int, ${finished}::int, ${left}::int, ${failed}::int, ${freedBytes}::bigint)
    ON CONFLICT (id) DO UPDATE SET finished_at = excluded.finished_at, examined = excluded.examined, aborted = excluded.aborted,
      finished = excluded.finished, "left" = excluded."left", failed = excluded.failed, freed_bytes = excluded.freed_bytes
    RETURNING ${columns}`
  if (!row) throw new Error('an upsert returned no row')
  return toSweepRow(row)
}

/** Reports of one tenant's sweeps, or with null of all, newest first, beginning after `after`. */
export async function listSweepRows(
  sql: Queries,
  tenant: string | null,
  page: { after: { startedAt: string; id: string } | null; limit: number },
): Promise<SweepRow[]> {
  const conditions = [tenant === null ? Prisma.sql`TRUE` : Prisma.sql`tenant = ${tenant}`]
  if (page.after)
    conditions.push(Prisma.sql`(started_at, id) < (${page.after.startedAt}::timestamptz, ${page.after.id})`)
  const rows = await sql.$queryRaw<RawSweep[]>`
    SELECT ${columns} FROM sweeps WHERE ${Prisma.join(conditions, ' AND ')}
    ORDER BY sweeps.started_at DESC, sweeps.id DESC LIMIT ${page.limit}`
  return rows.map(toSweepRow)
}

/** Forgets reports that began more than `days` ago, the oldest first. Returns how many. */
export function forgetSweeps(sql: Queries, days: number, limit: number): Promise<number> {
  return sql.$executeRaw`
    DELETE FROM sweeps WHERE id IN (
      SELECT id FROM sweeps WHERE started_at < now() - make_interval(days => ${days}::int) ORDER BY started_at, id LIMIT ${limit})`
}
