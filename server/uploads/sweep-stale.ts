import { claimDueLooks, claimStaleUploads, positionAfter, type SweepPosition, scheduleLooks } from '../db/look-rows.ts'
import type { SweepCounts } from '../db/sweep-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import type { Deps } from '../deps.ts'
import { type Look, lookAtUpload } from './look-at-upload.ts'
import { createSweepReport } from './sweep-report.ts'
import { LEASE_SECONDS } from './upload-state.ts'
import { workThrough } from './work-through.ts'

// A look is a few calls to OSS one after the other. This many at once keep a process busy, and neither its memory nor OSS full.
const sweepWorkers = 12
const lookWorkers = 4
// So that a lease is renewed before it runs out, even of an upload that has waited so long for a worker.
const longestWaitMs = (LEASE_SECONDS * 1000) / 2
const schedulesPerRun = 10_000

/**
 * Looks at every upload that nobody has moved for STALE_AFTER_SECONDS, or that is older than UPLOAD_TTL_SECONDS, and gives up those that may
 * be, see {@link lookAtUpload}. Goes from the stalest on, so that each is met once in a pass, and one that fails keeps nobody waiting. Any
 * number of instances may sweep at once; what one held when it died, falls due for {@link lookAtDueUploads} when its lease runs out.
 */
export async function sweepStale(deps: Deps, signal?: AbortSignal): Promise<Readonly<SweepCounts>> {
  const { staleAfterSeconds, ttlSeconds } = deps.config.uploads
  const report = createSweepReport(deps, aboutOwn(deps))
  try {
    for (const [by, olderThanSeconds] of [
      ['idle', staleAfterSeconds],
      ['age', ttlSeconds],
    ] as const) {
      const order = { by, olderThanSeconds, tenant: null }
      let after: SweepPosition = null
      await workThrough({
        claim: async () => {
          const page = { after, limit: sweepWorkers }
          const rows = await claimStaleUploads(deps.db.prisma, deps.objects.bucket, order, page, LEASE_SECONDS)
          after = positionAfter(rows, order, after)
          return rows
        },
        work: async (row) => report.count(await lookSafely(deps, row)),
        workers: sweepWorkers,
        longestWaitMs,
        signal,
      })
    }
  } finally {
    // Of a pass that found nothing there is nothing to tell.
    if (report.counts.examined > 0) await report.finish()
  }
  return report.counts
}

/** Asks OSS about every open upload whose daily look is due, or whose holder has died. Never held up by what {@link sweepStale} finds. Those that
 *  come to their end by it stand in a report, too. Returns how many it asked about. */
export async function lookAtDueUploads(deps: Deps, signal?: AbortSignal): Promise<number> {
  let looks = 0
  const report = createSweepReport(deps, aboutOwn(deps))
  await scheduleLooks(deps.db.prisma, schedulesPerRun)
  try {
    await workThrough({
      claim: () => claimDueLooks(deps.db.prisma, deps.objects.bucket, lookWorkers, LEASE_SECONDS),
      work: async (row) => {
        looks++
        const look = await lookSafely(deps, row)
        if (isEnd(look)) report.count(look)
      },
      workers: lookWorkers,
      longestWaitMs,
      signal,
    })
  } finally {
    if (report.counts.examined > 0) await report.finish()
  }
  return looks
}

/** What the server says of its own sweeps. */
function aboutOwn({ config }: Pick<Deps, 'config'>) {
  const olderThanSeconds = config.uploads.staleAfterSeconds
  return { kind: 'sweep', isDryRun: false, by: null, tenant: null, olderThanSeconds } as const
}

const isEnd = ({ outcome }: Look) => outcome === 'aborted' || outcome === 'finished'

async function lookSafely(deps: Deps, row: UploadRow): Promise<Look> {
  const { staleAfterSeconds, ttlSeconds } = deps.config.uploads
  try {
    const look = await lookAtUpload(deps, row, { kind: 'life', staleAfterSeconds, ttlSeconds })
    deps.metrics.uploadSwept(look)
    if (isEnd(look)) {
      deps.log.info({ uploadId: row.id, outcome: look.outcome, reason: look.reason }, 'an upload was swept')
    }
    return look
  } catch (error) {
    deps.log.warn({ uploadId: row.id, err: error }, 'an upload could not be looked at')
    const look: Look = { outcome: 'failed', reason: 'storage-unavailable', aliveUntil: null, storedBytes: 0 }
    deps.metrics.uploadSwept(look)
    return look
  }
}
