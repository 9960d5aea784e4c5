import { closeCompleted, type ObjectDifference, recordObjectChanged } from '../db/event-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import { setDue } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import type { ObjectFacts } from '../oss/object-store.ts'
import { withLease } from './lease.ts'
import { rereadUpload } from './reread-upload.ts'
import { lastLookInSeconds } from './upload-state.ts'

/**
 * The look at a `completed` row's object after the end of the last credentials for it, whose lease the caller holds. Their holder may have
 * put another object in its place: then there is an event, once. Looked at a second time when no request begun with them can still be
 * running. An object that is gone was deleted by somebody with other rights: that is no news.
 */
export async function checkObject(deps: Deps, row: UploadRow): Promise<UploadRow> {
  return withLease(deps, row, async () => {
    const object = await deps.objects.headObject(row.key)
    const differences = object ? differencesOf(row, object) : []
    if (differences.length > 0) {
      if (await recordObjectChanged(deps.db.prisma, row, differences)) {
        deps.metrics.objectChanged()
        deps.log.error({ uploadId: row.id, key: row.key, differences }, 'a completed object has changed')
      }
      return rereadUpload(deps, row.id)
    }
    const waitSeconds = lastLookInSeconds(row)
    if (object && waitSeconds > 0) await setDue(deps.db.prisma, row, 'completed', waitSeconds)
    else await closeCompleted(deps.db.prisma, row)
    return rereadUpload(deps, row.id)
  })
}

/** What of an object is not as it was completed. Nobody rewrites an object of Partway's, so another ETag is a difference even where
 *  the bytes are the same. Values that OSS did not tell at either time are not compared. */
export function differencesOf(
  row: Pick<UploadRow, 'id' | 'sizeBytes' | 'etag' | 'crc64'>,
  object: ObjectFacts,
): ObjectDifference[] {
  const compared: ObjectDifference[] = [
    { what: 'tag', completed: row.id, found: object.uploadTag },
    { what: 'size', completed: row.sizeBytes, found: object.sizeBytes },
    { what: 'etag', completed: row.etag, found: object.etag },
  ]
  if (object.crc64 !== null) compared.push({ what: 'crc64', completed: row.crc64, found: object.crc64 })
  return compared.filter(({ completed, found }) => completed !== null && completed !== found)
}
