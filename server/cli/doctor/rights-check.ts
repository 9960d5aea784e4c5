import { randomBytes } from 'node:crypto'
import type { Config } from '../../config.ts'
import { type BucketSettings, ossErrorOf } from '../../oss/bucket-settings.ts'
import type { ObjectStore } from '../../oss/object-store.ts'
import { type Finding, failed, ok } from './finding.ts'

/** A key below KEY_PREFIX that nothing else uses. */
export function doctorKey({ uploads }: Pick<Config, 'uploads'>): string {
  return `${uploads.keyPrefix}doctor/${randomBytes(16).toString('hex')}`
}

const plainObject = { contentType: 'application/octet-stream', contentDisposition: 'attachment', metadata: {} }

/**
 * Uses every right of the server's RAM policy once, and names all that are missing. Leaves nothing behind, but where the right to abort is
 * what is missing. Throws what is no matter of rights.
 */
export async function checkRights(config: Config, objects: ObjectStore, settings: BucketSettings): Promise<Finding> {
  const key = doctorKey(config)
  const missing: string[] = []
  const attempt = async <T>(action: string, use: () => Promise<T>): Promise<T | null> => {
    try {
      return await use()
    } catch (error) {
      if (!isLackOfRight(error)) throw error
      missing.push(action)
      return null
    }
  }
  await attempt('oss:ListMultipartUploads', () => objects.ping())
  const ossUploadId = await attempt('oss:PutObject', () => objects.initiateUpload(key, plainObject))
  // Rights come before the question whether there is such an upload.
  const asked = ossUploadId ?? 'none'
  try {
    await attempt('oss:ListParts', () => objects.listParts(key, asked, { after: 0, limit: 1 }))
    await attempt('oss:GetObject', () => objects.headObject(key))
    await attempt('oss:DeleteObject', () => objects.deleteObject(key))
  } finally {
    await attempt('oss:AbortMultipartUpload', () => objects.abortUpload(key, asked))
  }
  const needed = missing.length
  await attempt('oss:GetBucketLifecycle', () => settings.readLifecycle())
  await attempt('oss:GetBucketInfo', () => settings.readInfo())

  const place = `${config.oss.bucket} at ${config.oss.endpoint}`
  if (needed > 0) {
    return failed(`the server lacks ${missing.join(', ')} on ${place}: attach the RAM policy that the README prints`)
  }
  if (missing.length === 0) return ok(`${place}, with the rights Partway needs`)
  return ok(`${place}; without ${missing.join(' and ')} nobody is warned of a missing lifecycle rule or of versioning`)
}

/** A 403 for another reason, such as a wrong key or region, is no answer about rights. */
export function isLackOfRight(error: unknown): boolean {
  const said = ossErrorOf(error)
  // HeadObject on an old cluster says no more than its status.
  return said !== null && said.endpoint === undefined && /^(AccessDenied|Http403)$/.test(said.code)
}
