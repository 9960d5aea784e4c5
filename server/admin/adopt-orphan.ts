import { findTenantByHash, findUploadsByKeys, insertAdoptedUpload } from '../db/orphan-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import type { Deps } from '../deps.ts'
import { cleanFileName, keySegment } from '../uploads/object-key.ts'
import { randomName } from '../uploads/start-upload.ts'
import { plainTenant } from './orphan-places.ts'
import type { FoundOrphan } from './orphan-standing.ts'

/** The subject of rows that nobody created. No tenant's token has reason to name it; what such a row allows is to be swept. */
const ADOPTED_SUBJECT = 'adopted'

/** Whose it is, as its key says. A hash says so only of tenants that had an upload here before. Null: nobody knows. */
export async function ownerOf(
  { db }: Pick<Deps, 'db'>,
  { segment }: Pick<FoundOrphan, 'segment'>,
  reach: string | null,
): Promise<string | null> {
  if (segment === null) return null
  if (reach !== null && keySegment(reach) === segment) return reach
  return plainTenant(segment) ?? findTenantByHash(db.prisma, segment.slice(1))
}

/**
 * Gives a multipart upload without a row one in `uploading`: it counts from then on, and is swept like any other. What its file was to
 * become is not known, so the row says what there is: so many bytes, in parts no larger than these. Twice, or on two instances at once:
 * one row, since its key is unique. Null when the key has another upload's row by now.
 */
export async function adoptOrphan(
  { db, objects }: Pick<Deps, 'db' | 'objects'>,
  { key, ossUploadId, stored, credentialsEndAt }: FoundOrphan,
  tenant: string,
): Promise<UploadRow | null> {
  const storedBytes = stored?.bytes ?? 0
  const adopted = await insertAdoptedUpload(db.prisma, {
    id: `upl_${randomName()}`,
    tenant,
    subject: ADOPTED_SUBJECT,
    fileName: cleanFileName(key.slice(key.lastIndexOf('/') + 1)) || 'unnamed',
    contentType: 'application/octet-stream',
    sizeBytes: Math.max(1, storedBytes),
    partSizeBytes: Math.max(1, stored?.largestPartBytes ?? 0),
    bucket: objects.bucket,
    region: objects.region,
    key,
    ossUploadId,
    storedBytes,
    credentialsEndAt,
  })
  return adopted ?? findAdopted({ db, objects }, { key, ossUploadId })
}

/** The row that an earlier adoption of this upload made, if it still stands for it. */
export async function findAdopted(
  { db, objects }: Pick<Deps, 'db' | 'objects'>,
  { key, ossUploadId }: Pick<FoundOrphan, 'key' | 'ossUploadId'>,
): Promise<UploadRow | null> {
  const [row] = await findUploadsByKeys(db.prisma, objects.bucket, [key])
  return row && isAdopted(row, ossUploadId) ? row : null
}

/** Whether the row was made for this upload, and nothing has become of it yet. */
export function isAdopted(row: UploadRow, ossUploadId: string): boolean {
  return row.adoptedAt !== null && row.state === 'uploading' && row.ossUploadId === ossUploadId
}
