import type { UploadRow } from '../db/upload-row.ts'
import { claimDueUpload, claimEndedUpload } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { driveOn } from './drive-on.ts'
import { LEASE_SECONDS } from './upload-state.ts'

const workers = 4

/**
 * Drives on every row whose lease has run out: what a crash, an outage or an abort left to be done; then what has ended and is due for
 * another look. Any number of instances may run it at once; each row is taken by one, and only when there is somebody to work on it at once.
 * Returns how many rows it took. Throws only when the database cannot be reached, and then too not before all its work has ended: whoever
 * closes the database waits for this.
 */
export async function recoverUploads(deps: Deps, signal?: AbortSignal): Promise<number> {
  let taken = 0
  const work = async () => {
    while (!signal?.aborted) {
      const row =
        (await claimDueUpload(deps.db.prisma, deps.objects.bucket, LEASE_SECONDS)) ??
        (await claimEndedUpload(deps.db.prisma, deps.objects.bucket, LEASE_SECONDS))
      if (!row) return
      taken++
      await recoverOne(deps, row)
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: workers }, work))
  const failure = ends.find((end) => end.status === 'rejected')
  if (failure) throw failure.reason
  return taken
}

async function recoverOne(deps: Deps, row: UploadRow): Promise<void> {
  try {
    const current = await driveOn(deps, row)
    const isMoved = current.state !== row.state || current.dueAt === null
    deps.metrics.recoveryDrive(row.state, isMoved ? 'moved' : 'waiting')
    if (isMoved) deps.log.info({ uploadId: row.id, from: row.state, to: current.state }, 'an upload was driven on')
  } catch (error) {
    // Parts that are missing are the client's to send: the row is back in `uploading`, and that is an outcome.
    const isAnswer = error instanceof Problem && error.status === 409
    deps.metrics.recoveryDrive(row.state, isAnswer ? 'moved' : 'failed')
    if (!isAnswer) deps.log.warn({ uploadId: row.id, state: row.state, err: error }, 'an upload could not be driven on')
  }
}
