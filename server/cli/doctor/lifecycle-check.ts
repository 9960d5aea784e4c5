import type { Config } from '../../config.ts'
import type { BucketSettings } from '../../oss/bucket-settings.ts'
import {
  judgeLifecycle,
  lifecycleComplaint,
  mergeLifecycle,
  ownRule,
  readAbortRules,
} from '../../oss/lifecycle-rules.ts'
import { type Finding, failed, ok, skipped } from './finding.ts'
import { isLackOfRight } from './rights-check.ts'

/** Whether the bucket ends multipart uploads that nobody else ends, and none that goes on. */
export async function checkLifecycle({ uploads }: Config, settings: BucketSettings): Promise<Finding> {
  try {
    const xml = await settings.readLifecycle()
    const judged = judgeLifecycle(readAbortRules(xml), uploads)
    const complaint = lifecycleComplaint(judged, uploads)
    if (judged.verdict === 'covered') {
      return ok(`the rule "${judged.rule.id}" ends unfinished uploads after ${judged.rule.days} days`)
    }
    const remedy = mergeLifecycle(xml, uploads) === null ? '' : ` "partway doctor --fix" adds:\n${ownRule(uploads)}`
    return failed(`${complaint}${remedy}`)
  } catch (error) {
    if (isLackOfRight(error)) return skipped('the server may not look at it: that needs oss:GetBucketLifecycle')
    throw error
  }
}
