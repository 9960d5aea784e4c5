import type { UploadRow } from '../db/upload-row.ts'
import { beginExpiring, findExpired } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { discardUpload } from './discard-upload.ts'
import { reconcileUpload } from './reconcile-upload.ts'
import { LEASE_SECONDS } from './upload-state.ts'

const batchSize = 100

/**
 * Gives up uploads that nobody has moved for STALE_AFTER_SECONDS, or that are older than UPLOAD_TTL_SECONDS, and discards their parts.
 * ListParts is asked first: growth it shows is activity the client did not report, and an upload it does not know may be an object. Never
 * while a grant lives. Each upload is looked at once in a pass, so that one that fails keeps nobody waiting. Returns how many it gave up.
 */
export async function expireUploads(deps: Deps, signal?: AbortSignal): Promise<number> {
  const seen: string[] = []
  let givenUp = 0
  for (;;) {
    const page = { limit: batchSize, except: seen }
    const expired = await findExpired(deps.db.prisma, deps.objects.bucket, deps.config.uploads, page)
    for (const row of expired) {
      if (signal?.aborted) return givenUp
      seen.push(row.id)
      if (await expireOne(deps, row)) givenUp++
    }
    if (expired.length < batchSize) return givenUp
  }
}

async function expireOne(deps: Deps, row: UploadRow): Promise<boolean> {
  try {
    const current = await reconcileUpload(deps, row)
    if (current.state !== 'uploading') return false
    const aborting = await beginExpiring(deps.db.prisma, row.id, deps.config.uploads, LEASE_SECONDS)
    if (!aborting) return false
    await discardUpload(deps, aborting)
    return true
  } catch (error) {
    deps.log.warn({ uploadId: row.id, err: error }, 'an upload could not be expired')
    return false
  }
}
