import { isDatabaseUnavailable } from '../db/client.ts'
import { claimLook } from '../db/look-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import { claimIfDue } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { driveOn } from '../uploads/drive-on.ts'
import { type Look, lookAtUpload } from '../uploads/look-at-upload.ts'
import { rereadUpload } from '../uploads/reread-upload.ts'
import { judgeEnd, judgeState, type SweepRule, verdict } from '../uploads/sweep-verdict.ts'
import { isLeftBehind, LEASE_SECONDS } from '../uploads/upload-state.ts'
import { mapInTime } from './map-in-parallel.ts'
import { previewUpload } from './preview-upload.ts'

/** What an administrator's request does with uploads; with `isDryRun` it only says what it would do, and changes none. */
export interface Examination {
  rule: SweepRule
  isDryRun: boolean
  /** On the clock of `performance.now()`. What is under way then goes on without being waited for. */
  endsAtMs: number
  onLook: (look: Look) => void
}

/** How long a request works before it answers: below the patience of proxies. */
export const REQUEST_MS = 20_000

const workers = 8

/** Examines uploads, some at once. What came of each, in their order; of those that were not done in time, that they were not. */
export async function examineUploads(
  deps: Deps,
  rows: readonly UploadRow[],
  examination: Examination,
): Promise<Look[]> {
  const { endsAtMs, onLook } = examination
  const limit = { endsAtMs, onResult: onLook }
  const looks = await mapInTime(rows, workers, limit, (row) => examineUpload(deps, row, examination))
  return rows.map((row, index) => {
    const look = looks[index]
    if (look) return look
    // It may be under way, and be given up after all: whoever asks again is told.
    const late = failedLook(row, 'not-in-time')
    onLook(late)
    return late
  })
}

/** Does with one upload what is asked for, as far as it may be done. Throws only when the database is not there. */
async function examineUpload(deps: Deps, row: UploadRow, { rule, isDryRun }: Examination): Promise<Look> {
  try {
    if (isDryRun) return await previewUpload(deps, row, rule)
    const look = await sweepUpload(deps, row, rule)
    deps.metrics.uploadSwept(look)
    return look
  } catch (error) {
    if (isDatabaseUnavailable(error)) throw error
    deps.log.warn({ uploadId: row.id, err: error }, 'an upload could not be looked at')
    return failedLook(row, 'storage-unavailable')
  }
}

/** What there is to say of an upload that nothing is known of but why. */
function failedLook(
  { storedBytes }: Pick<UploadRow, 'storedBytes'>,
  reason: 'storage-unavailable' | 'not-in-time',
): Look {
  return { ...verdict('failed', reason), storedBytes }
}

async function sweepUpload(deps: Deps, row: UploadRow, rule: SweepRule): Promise<Look> {
  const { storedBytes } = row
  const isEnded = row.state === 'completed' || row.state === 'aborted'
  if (row.bucket !== deps.objects.bucket && !isEnded) return { ...verdict('left', 'other-bucket'), storedBytes }
  const current = isLeftBehind(row) ? await driveOnSafely(deps, row) : row
  if (current.state !== 'uploading') {
    return { ...(current.state === row.state ? judgeState(current) : judgeEnd(current)), storedBytes }
  }
  const held = await claimLook(deps.db.prisma, row.id, LEASE_SECONDS)
  if (!held) return { ...judgeState(await rereadUpload(deps, row.id)), storedBytes }
  return lookAtUpload(deps, held, rule)
}

async function driveOnSafely(deps: Deps, row: UploadRow): Promise<UploadRow> {
  const claimed = await claimIfDue(deps.db.prisma, row.id, LEASE_SECONDS)
  if (!claimed) return rereadUpload(deps, row.id)
  try {
    return await driveOn(deps, claimed)
  } catch (error) {
    // Parts are missing: the upload is back in `uploading`, and can be judged there.
    if (error instanceof Problem && error.status === 409) return rereadUpload(deps, row.id)
    throw error
  }
}
