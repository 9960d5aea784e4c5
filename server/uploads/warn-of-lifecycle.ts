import type { Deps } from '../deps.ts'
import { isDenied } from '../oss/bucket-settings.ts'
import { judgeLifecycle, lifecycleComplaint, readAbortRules } from '../oss/lifecycle-rules.ts'
import { uploadPlaces } from '../upload-places.ts'

/**
 * Warns once, in the log, when the bucket's lifecycle ends uploads too early or never, those with direct credentials included. Looking at it is a right of its own that a server
 * can do without: then that is said, at a lower level. Never throws.
 */
export async function warnOfLifecycle({
  bucketSettings,
  config,
  log,
}: Pick<Deps, 'bucketSettings' | 'config' | 'log'>): Promise<void> {
  try {
    const rules = readAbortRules(await bucketSettings.readLifecycle())
    for (const place of uploadPlaces(config)) {
      const complaint = lifecycleComplaint(judgeLifecycle(rules, place), place)
      if (complaint) log.warn({ bucket: config.oss.bucket }, complaint)
    }
  } catch (error) {
    if (isDenied(error)) {
      log.info('the lifecycle of the bucket cannot be looked at: the server lacks oss:GetBucketLifecycle')
    } else {
      log.info({ err: error }, 'the lifecycle of the bucket could not be looked at')
    }
  }
}
