import {
  beginMeasurement,
  dropMeasurement,
  finishMeasurement,
  type MeasuredTo,
  measureNext,
} from '../db/usage-measurement-rows.ts'
import type { Deps } from '../deps.ts'

/** Rows in one statement: a fraction of a second, far from the 10 s after which it is cut, and few enough to be sorted in memory. */
const rowsPerStatement = 25_000

const underWay = new WeakMap<Deps['db'], Promise<boolean>>()

/**
 * Counts the open uploads: by tenant, state and age. The count becomes the current one when it is finished. One process counts at a time, and
 * each once. It reads the table as it is while it goes along, so an upload whose state changes meanwhile may be in it twice, or not at all.
 * Returns false when somebody else is counting, or has taken this count over. `signal` gives it up.
 */
export function measureUsage(deps: Pick<Deps, 'db' | 'config'>, signal?: AbortSignal): Promise<boolean> {
  const known = underWay.get(deps.db)
  if (known !== undefined) return known
  const counting = count(deps, signal).finally(() => underWay.delete(deps.db))
  underWay.set(deps.db, counting)
  return counting
}

async function count({ db, config }: Pick<Deps, 'db' | 'config'>, signal?: AbortSignal): Promise<boolean> {
  const measurement = await beginMeasurement(db)
  if (!measurement) return false
  try {
    let measuredTo: MeasuredTo | null = null
    do {
      signal?.throwIfAborted()
      const step = await measureNext(db.prisma, measurement, measuredTo, config.uploads, rowsPerStatement)
      if (!step) return false
      measuredTo = step.rows < rowsPerStatement ? null : step.measuredTo
    } while (measuredTo)
    return await finishMeasurement(db.prisma, measurement)
  } catch (error) {
    // A step whose answer was lost may have been counted: this count is of no use any more. If this fails as well, its lease runs out.
    await dropMeasurement(db.prisma, measurement).catch(() => {})
    if (signal?.aborted) return false
    throw error
  }
}
