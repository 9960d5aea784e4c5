import type { UploadRow } from '../db/upload-row.ts'
import { beginExpiring, findExpired } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { discardUpload } from './discard-upload.ts'
import { reconcileUpload } from './reconcile-upload.ts'
import { LEASE_SECONDS } from './upload-state.ts'
import { endOfLife } from './upload-view.ts'

const batchSize = 100

/**
 * Gives up uploads that nobody has moved for STALE_AFTER_SECONDS, or that are older than UPLOAD_TTL_SECONDS, and discards their parts.
 * ListParts is asked first: growth it shows is activity the client did not report. Never while a grant lives. Returns how many
 * uploads it gave up.
 */
export async function expireUploads(deps: Deps, signal?: AbortSignal): Promise<number> {
  const expired = await findExpired(deps.db.prisma, deps.config.uploads, batchSize)
  let givenUp = 0
  for (const row of expired) {
    if (signal?.aborted) break
    try {
      if (await expireOne(deps, row)) givenUp++
    } catch (error) {
      deps.log.warn({ uploadId: row.id, err: error }, 'an upload could not be expired')
    }
  }
  return givenUp
}

async function expireOne(deps: Deps, row: UploadRow): Promise<boolean> {
  const isOverAge = endOfLife(row, deps.config.uploads) <= row.readAt
  const current = isOverAge ? row : await reconcileUpload(deps, row)
  if (current.state !== 'uploading') return false
  const aborting = await beginExpiring(deps.db.prisma, row.id, deps.config.uploads, LEASE_SECONDS)
  if (!aborting) return false
  await discardUpload(deps, aborting)
  return true
}
