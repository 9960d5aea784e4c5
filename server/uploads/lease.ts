import type { UploadRow } from '../db/upload-row.ts'
import { setDue } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { LEASE_SECONDS } from './upload-state.ts'

const renewEveryMs = (LEASE_SECONDS * 1000) / 3
const longestWaitSeconds = 30
const shortestPauseSeconds = 60
const longestPauseSeconds = 3600

/**
 * Works on a row while keeping its lease alive. When `work` fails, the row falls due again soon, later with each attempt, so that an
 * outage heals shortly after its end. A lease that is lost all the same does no harm: what the former
 * holder does next is conditional on its lease, or true whoever does it.
 */
export async function withLease<Result>(deps: Deps, row: UploadRow, work: () => Promise<Result>): Promise<Result> {
  const renewal = setInterval(() => {
    setDue(deps.db.prisma, row, row.state, LEASE_SECONDS).catch((error: unknown) => {
      deps.log.warn({ uploadId: row.id, err: error }, 'a lease could not be renewed')
    })
  }, renewEveryMs)
  try {
    return await work()
  } catch (error) {
    await setDue(deps.db.prisma, row, row.state, retryInSeconds(row)).catch(() => {
      // Then the lease runs out by itself.
    })
    throw error
  } finally {
    clearInterval(renewal)
  }
}

/** 1, 2, 4 … 30 seconds. For a look at an upload that is under way, which nobody waits for, 1, 2, 4 … 60 minutes. */
export function retryInSeconds({ state, attempts }: Pick<UploadRow, 'state' | 'attempts'>): number {
  if (state === 'uploading')
    return Math.min(shortestPauseSeconds * 2 ** Math.max(0, Math.min(attempts - 1, 10)), longestPauseSeconds)
  return Math.min(2 ** Math.min(attempts, 10), longestWaitSeconds)
}
