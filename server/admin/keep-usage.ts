import { findMeasurement } from '../db/usage-measurement-rows.ts'
import { forgetSnapshot, insertSnapshot, isSnapshotDue } from '../db/usage-snapshot-rows.ts'
import type { Deps } from '../deps.ts'
import { measureUsage } from './measure-usage.ts'

/** Every hour is kept for a week, and before that the first of each day for 90 days. */
const HOURLY_DAYS = 7
export const SNAPSHOTS_KEPT_DAYS = HOURLY_DAYS + 90

/** A count that is older is not what is held at this hour. */
const freshSeconds = 60

/**
 * Writes down once an hour what open uploads hold, by tenant and together, and thins out what was written down long ago. Every instance may
 * run it: an hour is written down once. While another one counts, nothing is done until the next time.
 */
export async function keepUsage(deps: Pick<Deps, 'db' | 'config'>, signal?: AbortSignal): Promise<void> {
  const sql = deps.db.prisma
  if (await isSnapshotDue(sql)) {
    let measurement = await findMeasurement(sql)
    if (!measurement || measurement.ageSeconds > freshSeconds) {
      if (!(await measureUsage(deps, signal))) return
      measurement = await findMeasurement(sql)
    }
    if (measurement) await insertSnapshot(sql, measurement)
  }
  while (!signal?.aborted && (await forgetSnapshot(sql, { hourlyDays: HOURLY_DAYS, keptDays: SNAPSHOTS_KEPT_DAYS })));
}
