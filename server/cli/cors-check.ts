import type { Config } from '../config.ts'
import { corsRule } from '../cors-rule.ts'
import { askCors, corsComplaint, pageOrigins } from '../oss/cors-preflight.ts'
import { type Finding, failed, ok, skipped } from './doctor/finding.ts'

/** Whether the bucket takes uploads from the pages that upload, see {@link askCors}. `ownUrl` is where this server's own page is reached, as
 *  far as anybody knows. */
export async function checkCors(config: Config, ownUrl: string | null): Promise<Finding> {
  const origins = pageOrigins(config, ownUrl)
  if (origins.length === 0) {
    return skipped('no page is known that uploads: set CORS_ORIGINS, or PUBLIC_URL for the page of this server')
  }
  const answers = await Promise.all(origins.map((origin) => askCors(config, origin)))
  const complaints = answers.flatMap((answer) => corsComplaint(answer) ?? [])
  if (complaints.length === 0) return ok(`pages of ${origins.join(', ')} may upload to the bucket`)
  const remedy = `Add this rule to bucket ${config.oss.bucket}, before others for the same origins; PutBucketCors replaces all rules, so keep those you have:`
  return failed(`${complaints.join(' ')} ${remedy}\n${corsRule(origins)}`)
}
