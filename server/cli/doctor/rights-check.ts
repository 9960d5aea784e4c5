import { randomBytes } from 'node:crypto'
import type { Config } from '../../config.ts'
import { type BucketSettings, isLackOfRight } from '../../oss/bucket-settings.ts'
import type { ObjectStore } from '../../oss/object-store.ts'
import { type Finding, failed, ok } from './finding.ts'

/** A key below KEY_PREFIX that nothing else uses. */
export function doctorKey({ uploads }: Pick<Config, 'uploads'>): string {
  return `${uploads.keyPrefix}doctor/${randomBytes(16).toString('hex')}`
}

const plainObject = { contentType: 'application/octet-stream', contentDisposition: 'attachment', metadata: {} }

/** What the server lacks, by what it lacks it for. */
interface MissingRights {
  uploads: string[]
  warnings: string[]
  orphans: string[]
}

/**
 * Uses every right of the server's RAM policy once, and names all that are missing; but for `oss:PutBucketLifecycle`, which cannot be tried
 * without a change. Leaves nothing behind, but where the right to abort is what is missing. Throws what is no matter of rights.
 */
export async function checkRights(config: Config, objects: ObjectStore, settings: BucketSettings): Promise<Finding> {
  const key = doctorKey(config)
  const missing: MissingRights = { uploads: [], warnings: [], orphans: [] }
  const attempt = async <T>(what: keyof MissingRights, action: string, use: () => Promise<T>): Promise<T | null> => {
    try {
      return await use()
    } catch (error) {
      if (!isLackOfRight(error)) throw error
      missing[what].push(action)
      return null
    }
  }
  const seeParts = (of: string, id: string) => objects.listParts(of, id, { after: 0, limit: 1 })
  await attempt('uploads', 'oss:ListMultipartUploads', () => objects.ping())
  const ossUploadId = await attempt('uploads', 'oss:PutObject', () => objects.initiateUpload(key, plainObject))
  // Rights come before the question whether there is such an upload.
  const asked = ossUploadId ?? 'none'
  try {
    await attempt('uploads', 'oss:ListParts', () => seeParts(key, asked))
    await attempt('uploads', 'oss:GetObject', () => objects.headObject(key))
    await attempt('uploads', 'oss:DeleteObject', () => objects.deleteObject(key))
  } finally {
    await attempt('uploads', 'oss:AbortMultipartUpload', () => objects.abortUpload(key, asked))
  }
  await attempt('warnings', 'oss:GetBucketLifecycle', () => settings.readLifecycle())
  await attempt('warnings', 'oss:GetBucketInfo', () => settings.readInfo())
  if (config.sts.roleArn !== null) {
    const directKey = config.sts.directPrefix + key.slice(config.uploads.keyPrefix.length)
    await attempt('orphans', 'oss:ListParts', () => seeParts(directKey, 'none'))
    await attempt('orphans', 'oss:AbortMultipartUpload', () => objects.abortUpload(directKey, 'none'))
  }
  return judgeRights(config, missing)
}

function judgeRights({ oss, sts }: Config, { uploads, warnings, orphans }: MissingRights): Finding {
  const place = `${oss.bucket} at ${oss.endpoint}`
  if (uploads.length > 0) {
    const lacking = [...uploads, ...warnings].join(', ')
    return failed(`the server lacks ${lacking} on ${place}: attach the RAM policy that the README prints`)
  }
  const costs: string[] = []
  if (warnings.length > 0) {
    costs.push(`without ${warnings.join(' and ')} nobody is warned of a missing lifecycle rule or of versioning`)
  }
  if (orphans.length > 0) {
    costs.push(`without ${orphans.join(' and ')} on ${sts.directPrefix}* administrators cannot see and abort orphans`)
  }
  return ok(costs.length === 0 ? `${place}, with the rights Partway needs` : [place, ...costs].join('; '))
}
