import type { Lifecycle } from '@partway/client/contract'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import { mergeLifecycles } from '../oss/merge-lifecycle.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { uploadPlaces } from '../upload-places.ts'
import { assertOperator } from './admin-reach.ts'
import { viewLifecycle, withRight } from './get-lifecycle.ts'

const maxRounds = 3

/**
 * Adds the rules the bucket's lifecycle lacks, for all places of uploads or, where that would change somebody else's rule, for none. Says
 * what is there afterwards. OSS replaces the whole document and knows no condition, so it is read once more right before it is written: only
 * what somebody writes within that moment is lost. Two of these at once write the same. Throws `forbidden`, `storage-unavailable`.
 */
export async function mendLifecycle(
  deps: Deps,
  principal: Principal,
  { log }: Pick<RequestContext, 'log'>,
): Promise<Answer<Lifecycle>> {
  assertOperator(principal)
  const { bucketSettings, config } = deps
  const read = () => withRight('oss:GetBucketLifecycle', () => bucketSettings.readLifecycle())
  for (let round = 0; round < maxRounds; round++) {
    const before = await read()
    // Said of a document that cannot be read, before anything is made of it.
    const view = viewLifecycle(config, before, false)
    const merged = mergeLifecycles(before, uploadPlaces(config))
    if (merged === null || merged === before) return { status: 200, body: view }
    if ((await read()) !== before) continue
    await withRight('oss:PutBucketLifecycle', () => bucketSettings.writeLifecycle(merged))
    log.warn(
      { bucket: config.oss.bucket, by: { tenant: principal.tenant, subject: principal.subject } },
      'rules were added to the lifecycle of the bucket',
    )
    return { status: 200, body: viewLifecycle(config, await read(), true) }
  }
  throw new Problem('storage-unavailable', 'Somebody else is changing the bucket’s lifecycle.')
}
