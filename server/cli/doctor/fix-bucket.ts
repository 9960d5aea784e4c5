import type { Config } from '../../config.ts'
import { corsRule } from '../../cors-rule.ts'
import { type BucketSettings, isLackOfRight } from '../../oss/bucket-settings.ts'
import { MAX_CORS_RULES, mergeCors } from '../../oss/cors-rules.ts'
import { mergeLifecycles } from '../../oss/merge-lifecycle.ts'
import { uploadPlaces } from '../../upload-places.ts'
import { type Check, check, type Finding, failed, ok } from './finding.ts'

/**
 * Adds the rules the bucket lacks to those it has, and changes no other. `lacking`: the checks that found something missing. The server itself
 * needs no right to do this, so `settings` are those of somebody who may.
 */
export async function fixBucket(
  config: Config,
  settings: BucketSettings,
  lacking: { lifecycle: boolean; corsOrigins: readonly string[] },
): Promise<Check[]> {
  const fixes: Check[] = []
  if (lacking.lifecycle) fixes.push(await check(config, 'fix: lifecycle', () => fixLifecycle(config, settings)))
  if (lacking.corsOrigins.length > 0) {
    fixes.push(await check(config, 'fix: CORS', () => fixCors(settings, lacking.corsOrigins)))
  }
  return fixes
}

async function fixLifecycle(config: Config, settings: BucketSettings): Promise<Finding> {
  return allowed('oss:GetBucketLifecycle and oss:PutBucketLifecycle', async () => {
    const merged = mergeLifecycles(await settings.readLifecycle(), uploadPlaces(config))
    if (merged === null) return failed('a rule that is not Partway’s is in the way; it is left as it is')
    await settings.writeLifecycle(merged)
    return ok('what was missing was added; all others stay as they were')
  })
}

async function fixCors(settings: BucketSettings, origins: readonly string[]): Promise<Finding> {
  return allowed('oss:GetBucketCors and oss:PutBucketCors', async () => {
    const merged = mergeCors(await settings.readCors(), corsRule(origins))
    if (merged === null) return failed(`the bucket has ${MAX_CORS_RULES} rules, and OSS takes no more: remove one`)
    await settings.writeCors(merged)
    return ok(`a rule for ${origins.join(', ')} was put first; all others stay as they were`)
  })
}

async function allowed(rights: string, fix: () => Promise<Finding>): Promise<Finding> {
  try {
    return await fix()
  } catch (error) {
    if (!isLackOfRight(error)) throw error
    return failed(`these credentials may not: run this with some that have ${rights}, which the server needs not keep`)
  }
}
