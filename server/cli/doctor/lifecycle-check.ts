import type { Config } from '../../config.ts'
import { type BucketSettings, isLackOfRight } from '../../oss/bucket-settings.ts'
import { judgeLifecycle, lifecycleComplaint, ownRule, readAbortRules } from '../../oss/lifecycle-rules.ts'
import { mergeLifecycle } from '../../oss/merge-lifecycle.ts'
import { type UploadPlace, uploadPlaces } from '../../upload-places.ts'
import { type Finding, failed, ok, skipped } from './finding.ts'

/** Whether the bucket ends multipart uploads that nobody else ends, and none that goes on, wherever they are made. */
export async function checkLifecycle(config: Config, settings: BucketSettings): Promise<Finding> {
  try {
    const xml = await settings.readLifecycle()
    const found = uploadPlaces(config).map((place) => judgePlace(xml, place))
    const complaints = found.flatMap(({ complaint }) => complaint ?? [])
    return complaints.length > 0 ? failed(complaints.join('\n')) : ok(found.map(({ praise }) => praise).join('; '))
  } catch (error) {
    if (isLackOfRight(error)) return skipped('the server may not look at it: that needs oss:GetBucketLifecycle')
    throw error
  }
}

function judgePlace(xml: string | null, place: UploadPlace): { complaint: string | null; praise: string } {
  const judged = judgeLifecycle(readAbortRules(xml), place)
  if (judged.verdict === 'covered') {
    const { id, days } = judged.rule
    return {
      complaint: null,
      praise: `the rule "${id}" ends unfinished uploads under ${place.keyPrefix} after ${days} days`,
    }
  }
  const remedy = mergeLifecycle(xml, place) === null ? '' : ` "partway doctor --fix" adds:\n${ownRule(place)}`
  return { complaint: `${lifecycleComplaint(judged, place)}${remedy}`, praise: '' }
}
