import { type SweepCounts, type SweepOrigin, type SweepRow, saveSweep } from '../db/sweep-rows.ts'
import type { Deps } from '../deps.ts'
import type { Look } from './look-at-upload.ts'
import { randomName } from './start-upload.ts'

const saveEveryMs = 1_000

/** The report of a sweep that is under way. */
export interface SweepReport {
  counts: Readonly<SweepCounts>
  /** Adds an upload. The first one begins the report; from then on the table follows about every second. */
  count(look: Pick<Look, 'outcome' | 'storedBytes'>): void
  /** Writes the last numbers, also when there was nothing to count. */
  finish(): Promise<SweepRow>
}

/** Begins a report, which reaches the table when there is something to tell. */
export function createSweepReport(deps: Pick<Deps, 'db' | 'log'>, about: Omit<SweepOrigin, 'id'>): SweepReport {
  const origin: SweepOrigin = { ...about, id: `swp_${randomName()}` }
  const counts: SweepCounts = { examined: 0, aborted: 0, finished: 0, left: 0, failed: 0, freedBytes: 0 }
  let savedAt = Number.NEGATIVE_INFINITY
  let saving: Promise<void> = Promise.resolve()

  async function save(): Promise<void> {
    await saveSweep(deps.db.prisma, origin, counts, false).catch((error: unknown) => {
      // The next numbers hold these.
      deps.log.warn({ sweepId: origin.id, err: error }, 'a sweep’s report could not be written')
    })
    savedAt = performance.now()
  }

  return {
    counts,
    count({ outcome, storedBytes }) {
      counts.examined++
      counts[outcome]++
      if (outcome === 'aborted') counts.freedBytes += storedBytes
      if (performance.now() - savedAt < saveEveryMs) return
      // Until it is written, nobody else writes.
      savedAt = Number.POSITIVE_INFINITY
      saving = save()
    },
    async finish() {
      await saving
      return saveSweep(deps.db.prisma, origin, counts, true)
    },
  }
}
