import { randomBytes } from 'node:crypto'
import { ossUrl } from '@partway/client/contract'
import type { Config } from '../config.ts'
import { corsRule, EXPOSED_HEADERS } from '../cors-rule.ts'
import type { Finding } from './doctor/finding.ts'

const TIMEOUT_MS = 5_000

/** What OSS tells the pages of one origin. */
interface CorsAnswer {
  origin: string
  /** Whether a PUT of a part may be sent at all. */
  isAllowed: boolean
  /** Lower-case names of the headers that such a page may read. */
  exposed: ReadonlySet<string>
}

/**
 * Asks the public endpoint what browsers will ask. That needs no right on the bucket, where reading its rules would: the preflight says
 * whether a page may send parts, and a PUT that OSS refuses, unsigned and into no upload, shows which headers it could read.
 * `ownUrl` is where this server's own page is reached, as far as anybody knows.
 */
export async function checkCors(config: Config, ownUrl: string | null): Promise<Finding> {
  const origins = pageOrigins(config, ownUrl)
  if (origins.length === 0) {
    return {
      status: 'skipped',
      detail: 'no page is known that uploads: set CORS_ORIGINS, or PUBLIC_URL for the page of this server',
    }
  }
  const complaints = (await Promise.all(origins.map((origin) => askAs(origin, config)))).flatMap(complaintOf)
  if (complaints.length === 0)
    return { status: 'ok', detail: `pages of ${origins.join(', ')} may upload to the bucket` }
  const remedy = `Add this rule to bucket ${config.oss.bucket}, before others for the same origins; PutBucketCors replaces all rules, so keep those you have:`
  return { status: 'failed', detail: `${complaints.join(' ')} ${remedy}\n${corsRule(origins)}` }
}

/** The origins of the pages that upload: this server's own, as far as anybody knows where that is, and those of CORS_ORIGINS. */
export function pageOrigins(config: Config, ownUrl: string | null): string[] {
  const pages = [...(config.webPages && ownUrl ? [new URL(ownUrl).origin] : []), ...config.http.corsOrigins]
  return [...new Set(pages)]
}

async function askAs(origin: string, config: Config): Promise<CorsAnswer> {
  const { bucket, publicEndpoint, publicAddressing } = config.oss
  const key = `${config.uploads.keyPrefix}doctor/${randomBytes(16).toString('hex')}`
  const target = { baseUrl: publicEndpoint, addressing: publicAddressing, bucket, key }
  // Even a bucket that anybody may write to stores nothing for an upload that does not exist.
  const url = ossUrl(target, 'partNumber=1&uploadId=doctor')
  const asked = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-md5' }
  const preflight = await send(url, 'OPTIONS', { origin, ...asked })
  const isAllowed = preflight.ok && allows(preflight, origin)
  const answer = isAllowed ? await send(url, 'PUT', { origin }) : null
  const names = answer && allows(answer, origin) ? answer.headers.get('access-control-expose-headers') : null
  return { origin, isAllowed, exposed: new Set(names?.toLowerCase().split(/\s*,\s*/)) }
}

function complaintOf({ origin, isAllowed, exposed }: CorsAnswer): string[] {
  if (!isAllowed) return [`The bucket's CORS rules keep pages of ${origin} from uploading.`]
  const hidden = EXPOSED_HEADERS.filter((name) => !exposed.has(name.toLowerCase()))
  return hidden.length === 0 ? [] : [`Pages of ${origin} may upload, but cannot read ${hidden.join(', ')}.`]
}

function allows(response: Response, origin: string): boolean {
  return ['*', origin].includes(response.headers.get('access-control-allow-origin') ?? '')
}

async function send(url: string, method: string, headers: Record<string, string>): Promise<Response> {
  try {
    return await fetch(url, { method, headers, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (cause) {
    throw new Error(`${new URL(url).origin} cannot be reached.`, { cause })
  }
}
