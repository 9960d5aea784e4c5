import { recordObjectLeft } from '../db/event-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import { closeAborted, markAborted, setDue } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { abortUntilGone } from './abort-until-gone.ts'
import { withLease } from './lease.ts'
import { rereadUpload } from './reread-upload.ts'
import { lastLookInSeconds } from './upload-state.ts'

// After the last grant's death a PUT that began in time may still land.
const LOOK_AGAIN_SECONDS = 60

/**
 * Drives an `aborting` row, whose lease the caller holds, to `aborted`: discards every multipart upload on its key until OSS knows none.
 * May run any number of times: aborting what is gone changes nothing.
 */
export async function discardUpload(deps: Deps, row: UploadRow): Promise<UploadRow> {
  return withLease(deps, row, async () => {
    const foundSome = await discardParts(deps, row)
    // Without its multipart upload, an upload may have become an object that nobody heard of. Nor may one that this server made and that is damaged stay.
    if (!foundSome || row.abortReason === 'integrity') await settleOwnObject(deps, row)
    deps.passed?.('abort: parts discarded')
    const aborted = await markAborted(deps.db.prisma, row.id, LOOK_AGAIN_SECONDS)
    if (!aborted) return rereadUpload(deps, row.id)
    deps.passed?.('abort: outcome recorded')
    deps.metrics.uploadAborted(row.abortReason ?? 'user')
    return aborted
  })
}

/** The second look at an `aborted` row: removes parts that landed after the abort, and looks once more if there were any; also once more
 *  when no request begun with credentials can still be running. */
export async function lookAgain(deps: Deps, row: UploadRow): Promise<UploadRow> {
  return withLease(deps, row, async () => {
    const foundSome = await discardParts(deps, row)
    // Credentials allow Initiate and Complete as well. And an object that was missed may have turned up since.
    if (row.credentialsAliveUntil !== null || !isUnwanted(row)) await settleOwnObject(deps, row)
    const waitSeconds = foundSome ? LOOK_AGAIN_SECONDS : lastLookInSeconds(row)
    if (waitSeconds === 0) return (await closeAborted(deps.db.prisma, row.id)) ?? rereadUpload(deps, row.id)
    await setDue(deps.db.prisma, row, 'aborted', waitSeconds)
    return rereadUpload(deps, row.id)
  })
}

/**
 * Aborts every multipart upload on the row's key, until each is gone. The key is this row's alone, so are they; but of an adopted row only its
 * own: somebody else chose that key, and may have begun anew. True when there was one. Throws when one is still there after some rounds: a part
 * lands in between each time.
 */
async function discardParts(deps: Deps, row: UploadRow): Promise<boolean> {
  const ossUploadIds = new Set(row.adoptedAt === null ? await deps.objects.findUploads(row.key) : [])
  if (row.ossUploadId !== null) ossUploadIds.add(row.ossUploadId)
  let foundSome = false
  for (const ossUploadId of ossUploadIds) {
    if (await abortUntilGone(deps.objects, row.key, ossUploadId)) foundSome = true
  }
  return foundSome
}

/** What was given up must not look finished: its object is deleted. But where nobody gave it up, and it was not this server that completed it,
 *  somebody else did and may count on the object. `aborted` is final, so it is left where it is, and becomes an event, once. */
async function settleOwnObject(deps: Deps, row: UploadRow): Promise<void> {
  const object = await deps.objects.headObject(row.key)
  if (object?.uploadTag !== row.id) return
  if (isUnwanted(row)) return deps.objects.deleteObject(row.key)
  if (!(await recordObjectLeft(deps.db.prisma, row.id, object.sizeBytes))) return
  const { id: uploadId, key, abortReason: reason } = row
  deps.log.error({ uploadId, key, reason }, 'the object of an upload that ended without one is there; it is left')
}

/** Whether an object of the upload's is one that nobody wants: it was given up, or turned out damaged when this server had completed it. */
function isUnwanted({ abortReason, completeSentAt }: Pick<UploadRow, 'abortReason' | 'completeSentAt'>): boolean {
  if (abortReason === 'integrity') return completeSentAt !== null
  return abortReason !== 'upload-gone' && abortReason !== 'key-taken'
}
