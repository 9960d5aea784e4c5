import { randomBytes } from 'node:crypto'
import { ossUrl } from '@partway/client/contract'
import type { Config } from '../config.ts'
import { EXPOSED_HEADERS } from '../cors-rule.ts'

const TIMEOUT_MS = 5_000

/** What OSS tells the pages of one origin. */
export interface CorsAnswer {
  origin: string
  /** Whether a PUT of a part may be sent at all. */
  isAllowed: boolean
  /** Lower-case names of the headers that such a page may read. */
  exposed: ReadonlySet<string>
}

/** The origins of the pages that upload: this server's own, as far as anybody knows where that is, and those of CORS_ORIGINS. */
export function pageOrigins(config: Pick<Config, 'webPages' | 'http'>, ownUrl: string | null): string[] {
  const pages = [...(config.webPages && ownUrl ? [new URL(ownUrl).origin] : []), ...config.http.corsOrigins]
  return [...new Set(pages)]
}

/**
 * Asks the public endpoint what browsers will ask. That needs no right on the bucket, where reading its rules would: the preflight says
 * whether a page may send parts, and a PUT that OSS refuses, unsigned and into no upload, shows which headers it could read. Throws Error
 * when the endpoint cannot be reached.
 */
export async function askCors({ oss, uploads }: Pick<Config, 'oss' | 'uploads'>, origin: string): Promise<CorsAnswer> {
  const key = `${uploads.keyPrefix}doctor/${randomBytes(16).toString('hex')}`
  const target = { baseUrl: oss.publicEndpoint, addressing: oss.publicAddressing, bucket: oss.bucket, key }
  // Even a bucket that anybody may write to stores nothing for an upload that does not exist.
  const url = ossUrl(target, 'partNumber=1&uploadId=doctor')
  const asked = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-md5' }
  const preflight = await send(url, 'OPTIONS', { origin, ...asked })
  const isAllowed = preflight.ok && allows(preflight, origin)
  const answer = isAllowed ? await send(url, 'PUT', { origin }) : null
  const names = answer && allows(answer, origin) ? answer.headers.get('access-control-expose-headers') : null
  return { origin, isAllowed, exposed: new Set(names?.toLowerCase().split(/\s*,\s*/)) }
}

/** What is wrong, in words; null when all is well. */
export function corsComplaint({ origin, isAllowed, exposed }: CorsAnswer): string | null {
  if (!isAllowed) return `The bucket's CORS rules keep pages of ${origin} from uploading.`
  const hidden = EXPOSED_HEADERS.filter((name) => !exposed.has(name.toLowerCase()))
  return hidden.length === 0 ? null : `Pages of ${origin} may upload, but cannot read ${hidden.join(', ')}.`
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
