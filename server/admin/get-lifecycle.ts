import type { Lifecycle } from '@partway/client/contract'
import type { Config } from '../config.ts'
import type { Answer, Deps } from '../deps.ts'
import { isLackOfRight } from '../oss/bucket-settings.ts'
import {
  type AbortRule,
  isOwnRuleId,
  judgeLifecycle,
  lifecycleComplaint,
  readAbortRules,
} from '../oss/lifecycle-rules.ts'
import { mergeLifecycles } from '../oss/merge-lifecycle.ts'
import { StorageProblem } from '../oss/object-store.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { uploadPlaces } from '../upload-places.ts'
import { assertOperator } from './admin-reach.ts'

/** Whether the bucket's lifecycle ends what Partway never gets to abort, and nothing too early. Throws `forbidden`, also when it is the
 *  server that may not look. */
export async function getLifecycle(deps: Deps, principal: Principal): Promise<Answer<Lifecycle>> {
  assertOperator(principal)
  const xml = await withRight('oss:GetBucketLifecycle', () => deps.bucketSettings.readLifecycle())
  return { status: 200, body: viewLifecycle(deps.config, xml, false) }
}

/** The document judged, for each place of uploads. PUT mends all places or none, so either all that need it can be merged or none can. */
export function viewLifecycle(config: Config, xml: string | null, isChanged: boolean): Lifecycle {
  const places = uploadPlaces(config)
  const rules = readOrRefuse(xml)
  const canMerge = mergeLifecycles(xml, places) !== null
  const verdicts = places.map((place) => {
    const judged = judgeLifecycle(rules, place)
    const complaint = lifecycleComplaint(judged, place)
    return {
      prefix: place.keyPrefix,
      verdict: judged.verdict,
      complaint:
        complaint === null || canMerge
          ? complaint
          : `${complaint} Nothing can be added: that would take a change of what is not Partway’s.`,
      canBeMerged: complaint !== null && canMerge,
    }
  })
  return { verdicts, rules: rules.map(viewRule), isChanged }
}

function viewRule({ id, prefix, isEnabled, days }: AbortRule): Lifecycle['rules'][number] {
  const isOwn = [false, true].some((isDirect) => isOwnRuleId(id, { isDirect }))
  return { id, prefix, isEnabled, days, isOwn }
}

function readOrRefuse(xml: string | null): AbortRule[] {
  try {
    return readAbortRules(xml)
  } catch (cause) {
    throw new StorageProblem('The bucket’s lifecycle cannot be read.', { cause, maybeApplied: false })
  }
}

/** Does what needs a right on the bucket. Throws `forbidden` when the server lacks it: asking again would not help, and whoever asks is
 *  told what to attach. */
export async function withRight<Result>(right: string, ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask()
  } catch (error) {
    if (!isLackOfRight(error)) throw error
    throw new Problem('forbidden', `The server itself may not: its RAM policy lacks ${right}.`, { cause: error })
  }
}
