import type { Config } from '../../config.ts'
import { type BucketInfo, type BucketSettings, isLackOfRight } from '../../oss/bucket-settings.ts'
import { type Finding, failed, ok, skipped } from './finding.ts'

/** Whether FORBID_OVERWRITE has an effect: on a versioned bucket OSS ignores it. */
export async function checkVersioning({ uploads }: Config, settings: BucketSettings): Promise<Finding> {
  try {
    return judgeVersioning(await settings.readInfo(), uploads.forbidOverwrite)
  } catch (error) {
    if (isLackOfRight(error)) return skipped('the server may not look at it: that needs oss:GetBucketInfo')
    throw error
  }
}

/** Pure. Source: OSS "x-oss-forbid-overwrite": without effect while versioning is enabled or suspended. */
export function judgeVersioning({ versioning }: Pick<BucketInfo, 'versioning'>, forbidOverwrite: boolean): Finding {
  if (versioning === null) {
    return ok(forbidOverwrite ? 'the bucket has no versions: FORBID_OVERWRITE holds' : 'the bucket has no versions')
  }
  const state = versioning === 'Enabled' ? 'on' : 'suspended'
  if (!forbidOverwrite) return ok(`versioning is ${state}, and FORBID_OVERWRITE is false`)
  return failed(
    `versioning is ${state}, and there OSS ignores FORBID_OVERWRITE. Keys are random, so that uploads do not meet; set FORBID_OVERWRITE=false to say that you know, or use a bucket without versions.`,
  )
}
