import { OssError } from './oss-error.ts'

/** One rule of a bucket's CORS configuration. Origins, methods and headers as they were put. */
export interface CorsRule {
  readonly allowedOrigins: readonly string[]
  readonly allowedMethods: readonly string[]
  readonly allowedHeaders?: readonly string[]
  readonly exposeHeaders?: readonly string[]
  readonly maxAgeSeconds?: number
}

export interface CorsConfiguration {
  readonly rules: readonly CorsRule[]
  readonly responseVary: boolean
}

/** The headers of an actual request's answer: none where no rule matches, since the request is carried out all the same. */
export function corsHeaders(
  cors: CorsConfiguration | null,
  origin: string | undefined,
  method: string,
): Record<string, string> {
  const rule = origin === undefined ? undefined : findRule(cors, origin, method, [])
  if (origin === undefined || rule === undefined) return cors?.responseVary ? { Vary: 'Origin' } : {}
  return ruleHeaders(rule, origin, cors?.responseVary ?? false)
}

/** The headers of a preflight's answer. Throws OssError 400 without Origin or method, 403 where no rule matches. */
export function preflightHeaders(
  cors: CorsConfiguration | null,
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  const { origin } = headers
  if (!origin) throw new OssError(400, 'BadRequest', 'Insufficient information. Origin request header needed')
  const method = headers['access-control-request-method']
  if (!method) {
    const message = 'Insufficient information. Request Access-Control-Request-Method header needed'
    throw new OssError(400, 'BadRequest', message)
  }
  const requested = headers['access-control-request-headers'] ?? ''
  const names = requested
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  const rule = findRule(cors, origin, method, names)
  if (rule === undefined) {
    // The misspellings are the service's own.
    const message =
      "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Requet-Headers are not whitelisted by the resource's CORS spec."
    throw new OssError(403, 'AccessForbidden', message)
  }
  return {
    ...ruleHeaders(rule, origin, cors?.responseVary ?? false),
    'Access-Control-Allow-Methods': rule.allowedMethods.join(', '),
    ...(names.length > 0 ? { 'Access-Control-Allow-Headers': names.join(', ') } : {}),
    ...(rule.maxAgeSeconds === undefined ? {} : { 'Access-Control-Max-Age': String(rule.maxAgeSeconds) }),
  }
}

function ruleHeaders(rule: CorsRule, origin: string, responseVary: boolean): Record<string, string> {
  const exposed = rule.exposeHeaders ?? []
  const isOpen = rule.allowedOrigins.includes('*')
  return {
    'Access-Control-Allow-Origin': isOpen ? '*' : origin,
    ...(exposed.length > 0 ? { 'Access-Control-Expose-Headers': exposed.join(', ') } : {}),
    ...(responseVary || !isOpen ? { Vary: 'Origin' } : {}),
  }
}

/** The first rule that matches wins, as on OSS; later ones are not looked at. */
function findRule(
  cors: CorsConfiguration | null,
  origin: string,
  method: string,
  headerNames: readonly string[],
): CorsRule | undefined {
  return cors?.rules.find(
    (rule) =>
      rule.allowedOrigins.some((pattern) => matchesOneStar(pattern, origin)) &&
      rule.allowedMethods.includes(method) &&
      headerNames.every((name) => rule.allowedHeaders?.some((pattern) => matchesOneStar(pattern.toLowerCase(), name))),
  )
}

function matchesOneStar(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*')
  if (star < 0) return pattern === text
  const after = pattern.slice(star + 1)
  return text.length >= pattern.length - 1 && text.startsWith(pattern.slice(0, star)) && text.endsWith(after)
}
