import { findCredentialsEnd } from '../db/credential-rows.ts'
import { findUploadsByKeys } from '../db/orphan-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import type { Deps } from '../deps.ts'
import { coveringResources } from '../grants/covering-resources.ts'
import type { ObjectStore } from '../oss/object-store.ts'
import { objectFault } from '../uploads/judge-object.ts'
import type { Suspect } from './find-suspects.ts'
import { ownerSegment, placeOf } from './orphan-places.ts'
import { type FoundOrphan, type StoredParts, standingOf } from './orphan-standing.ts'

/**
 * Asks OSS about one multipart upload by its id, which alone tells whether it is there, and says what kind of orphan it is; null: none.
 * `before` is the row of its key, read before this. It is read again after OSS has answered, and both must say the same: an upload that is
 * created, completed, given up or adopted meanwhile is not accused. Throws StorageProblem.
 */
export async function examineSuspect(
  deps: Pick<Deps, 'config' | 'db' | 'objects'>,
  { key, ossUploadId, listedSince }: Pick<Suspect, 'key' | 'ossUploadId' | 'listedSince'>,
  before: UploadRow | null,
): Promise<FoundOrphan | 'in-motion' | null> {
  const { objects, db } = deps
  const place = placeOf(deps.config, key)
  if (!place) return null
  const stored = await measureParts(objects, key, ossUploadId)
  const isMissed = before?.state === 'uploading' && before.ossUploadId === ossUploadId
  if (!stored && !isMissed) return motionOf(before)
  const object = stored ? null : await objects.headObject(key)
  const [row = null] = await findUploadsByKeys(db.prisma, objects.bucket, [key])
  // Last of all: whoever aborts it does so upon this.
  const credentials = await findCredentialsEnd(db.prisma, coveringResources(objects.bucket, key))
  const found = {
    key,
    ossUploadId,
    segment: ownerSegment(place, key),
    row,
    stored,
    initiatedAt: listedSince,
    object,
    credentialsEndAt: later(credentials.credentialsEndAt, row?.credentialsAliveUntil ?? null),
    readAt: credentials.readAt,
  }
  if (!stored) {
    if (row?.state !== 'uploading' || row.ossUploadId !== ossUploadId) return motionOf(row)
    const isThere = object !== null && objectFault(row, object) !== 'key-taken'
    return { ...found, kind: isThere ? 'completed-outside' : 'lost' }
  }
  const standings = [standingOf(before, ossUploadId), standingOf(row, ossUploadId)]
  if (standings.includes('in-motion')) return 'in-motion'
  if (standings.includes('tracked')) return null
  return { ...found, kind: place.isDirect ? 'direct' : 'untracked' }
}

/** What OSS holds of an upload, added up page by page; null when it does not know the id. */
async function measureParts(
  objects: Pick<ObjectStore, 'listParts'>,
  key: string,
  ossUploadId: string,
): Promise<StoredParts | null> {
  const stored: StoredParts = { bytes: 0, partCount: 0, largestPartBytes: 0, newestPartAt: null }
  let after: number | null = 0
  while (after !== null) {
    const page = await objects.listParts(key, ossUploadId, { after, limit: 1000 })
    if (!page) return null
    for (const { sizeBytes, lastModified } of page.parts) {
      stored.bytes += sizeBytes
      stored.partCount++
      stored.largestPartBytes = Math.max(stored.largestPartBytes, sizeBytes)
      stored.newestPartAt = newerOf(stored.newestPartAt, new Date(lastModified))
    }
    after = page.nextAfter
  }
  return stored
}

/** An instant that cannot be read is the newest, whatever comes after it: nobody knows that it is old. */
function newerOf(a: Date | null, b: Date): Date {
  if (a === null || Number.isNaN(b.getTime())) return b
  // False for an `a` that cannot be read.
  return b > a ? b : a
}

/** Of a row whose upload is gone. */
function motionOf(row: UploadRow | null): 'in-motion' | null {
  const isDriven = row?.state === 'pending' || row?.state === 'completing' || row?.state === 'aborting'
  return isDriven ? 'in-motion' : null
}

function later(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b
  return a > b ? a : b
}
