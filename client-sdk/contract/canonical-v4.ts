import { type FormPiece, type TextForm, textForm } from './text-form.ts'

/* OSS signature V4 (OSS4-HMAC-SHA256), header and query form: a request as the text that is signed. Touches no hash, so that the
 * server pairs it with node:crypto and the client with Web Crypto. Rules and known answers: the V4 chapters of OSS's API
 * reference, checked against the official client. */

/** Query parameters in any order. `null` and `''` both mean "present without a value", as in `?uploads`. */
export type QueryV4 = Readonly<Record<string, string | null>> | ReadonlyArray<readonly [string, string | null]>

/** How a bucket is addressed: a label before the host, implied by the host, or the first path segment. */
export type Addressing = 'virtual' | 'cname' | 'path'

/** What the canonical request is made of. `bucket` absent = service level; `key` absent = bucket level. */
export interface CanonicalInput {
  readonly method: string
  readonly bucket?: string | null
  readonly key?: string | null
  readonly query?: QueryV4
  readonly headers?: Readonly<Record<string, string>>
  /** Header names to sign beyond `content-type`, `content-md5` and `x-oss-*`; any case, any order. */
  readonly additionalHeaders?: readonly string[]
}

export const ALGORITHM_V4 = 'OSS4-HMAC-SHA256'
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'

/** Longest life of a presigned URL: seven days. Source: EC 0002-00000232. */
export const MAX_EXPIRES_SECONDS = 604_800

const unreserved = /^[\w.~-]*$/

/** Percent-encodes everything but RFC 3986's unreserved characters. Throws URIError on a lone surrogate. */
export function encodeRfc3986(text: string): string {
  // What is signed part by part, a number and an id, has nothing to encode.
  if (unreserved.test(text)) return text
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** An object key as it stands in a URL path: every byte encoded, `/` kept. */
export function encodeKey(key: string): string {
  return encodeRfc3986(key).replaceAll('%2F', '/')
}

/** `yyyyMMdd'T'HHmmss'Z'`, UTC; its first eight characters are the date of the scope. */
export function timestampV4(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

/** `20250115/cn-hangzhou/oss/aliyun_v4_request`. The region carries no `oss-`. */
export function scopeV4(timestamp: string, region: string): string {
  return `${timestamp.slice(0, 8)}/${region}/oss/aliyun_v4_request`
}

/** Encoded `name=value` pairs joined by `&`, sorted by encoded name; a name alone where there is no value. */
export function canonicalQueryV4(query: QueryV4): string {
  return joinPairs(encodePairs(query)).join('')
}

/** Lower-case, sorted, without the names that are signed anyway, as SDKs drop them. */
export function additionalHeaderNames(names: readonly string[] = []): string[] {
  return [...new Set(names.map((name) => name.toLowerCase()))].filter((name) => !isSignedByDefault(name)).sort()
}

/** The six blocks of the canonical request. The payload hash is always UNSIGNED-PAYLOAD: the service takes no other. */
export function canonicalRequestV4(input: CanonicalInput): string {
  const additional = additionalHeaderNames(input.additionalHeaders)
  const headers = headerLines(Object.entries(input.headers ?? {}), additional)
  return requestBlocks(input, joinPairs(encodePairs(input.query ?? [])), headers, additional).join('')
}

/** The text that is signed; `requestHash` is the hex SHA-256 of the canonical request. */
export function stringToSignV4(timestamp: string, region: string, requestHash: string): string {
  return `${ALGORITHM_V4}\n${timestamp}\n${scopeV4(timestamp, region)}\n${requestHash}`
}

/** The URL of a service, bucket or object. `baseUrl` is the endpoint with its scheme (`https://oss-cn-hangzhou.aliyuncs.com`);
 *  virtual addressing puts the bucket before its host. The query is printed as it is signed. */
export function ossUrl(target: UrlTarget, canonicalQuery = ''): string {
  const base = target.baseUrl.replace(/\/+$/, '')
  const { bucket } = target
  let root = base
  if (bucket && target.addressing === 'virtual') root = base.replace('://', `://${bucket}.`)
  if (bucket && target.addressing === 'path') root = `${base}/${bucket}`
  return `${root}/${encodeKey(target.key ?? '')}${canonicalQuery === '' ? '' : `?${canonicalQuery}`}`
}

export interface UrlTarget {
  readonly baseUrl: string
  readonly addressing: Addressing
  readonly bucket?: string | null
  readonly key?: string | null
}

/** A request as it is presigned. `expiresSeconds` is 1 to 604800, counted from `now`. */
export interface PresignInput extends UrlTarget {
  readonly method: string
  readonly region: string
  readonly accessKeyId: string
  readonly securityToken?: string | undefined
  readonly now: Date
  readonly expiresSeconds: number
  readonly query?: QueryV4
  /** Those whose values get bound: signed by default, or additional. Others are ignored. */
  readonly headers?: Readonly<Record<string, string>>
  readonly additionalHeaders?: readonly string[]
}

/** Query parameters and headers whose values differ between requests that are otherwise the same. No name that is given already. */
export interface PresignOpen {
  readonly query?: readonly string[]
  readonly headers?: readonly string[]
}

/** Presigned requests that lack only their signatures, and the values left open. */
export interface PresignForms {
  /** `yyyyMMdd'T'HHmmss'Z'`: chooses the signing key. */
  readonly timestamp: string
  /** Takes the values of the open query parameters, percent-encoded and none of them empty, then those of the open headers, trimmed. */
  readonly canonicalRequest: TextForm
  /** The URL to use: takes the same values, and the hex signature of the canonical request after them. */
  readonly url: TextForm
}

/** Prepares presigning of one request, or of many that differ in what is `open`, such as the parts of an object: names are encoded, checked
 *  and sorted once for all of them. Done for each, that takes twice as long as its SHA-256 and HMAC. Throws RangeError on an expiry out of
 *  bounds, TypeError on an additional header that is not among the headers. The holder of a URL must send exactly the bound headers, and
 *  no other Content-Type or `x-oss-*` header. */
export function presignFormsV4(input: PresignInput, open: PresignOpen = {}): PresignForms {
  const { region, accessKeyId, securityToken, expiresSeconds } = input
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    throw new RangeError(`expiresSeconds must be an integer from 1 to ${MAX_EXPIRES_SECONDS}`)
  }
  const openQuery = open.query ?? []
  const openHeaders = open.headers ?? []
  const timestamp = timestampV4(input.now)
  const additional = additionalHeaderNames(input.additionalHeaders)
  const headers: [name: string, value: FormPiece][] = [
    ...Object.entries(input.headers ?? {}),
    ...openHeaders.map((name, index): [string, number] => [name, openQuery.length + index]),
  ]
  for (const name of additional) assertHeaderPresent(headers, name)
  const query = joinPairs([
    ...encodePairs(input.query ?? []),
    ...encodePairs({
      'x-oss-signature-version': ALGORITHM_V4,
      'x-oss-credential': `${accessKeyId}/${scopeV4(timestamp, region)}`,
      'x-oss-date': timestamp,
      'x-oss-expires': String(expiresSeconds),
      ...(securityToken ? { 'x-oss-security-token': securityToken } : {}),
      ...(additional.length > 0 ? { 'x-oss-additional-headers': additional.join(';') } : {}),
    }),
    ...openQuery.map((name, index): QueryPair => [encodeRfc3986(name), [`${encodeRfc3986(name)}=`, index]]),
  ])
  const signature = openQuery.length + openHeaders.length
  return {
    timestamp,
    canonicalRequest: textForm(requestBlocks(input, query, headerLines(headers, additional), additional)),
    url: textForm([`${ossUrl(input)}?`, ...query, '&x-oss-signature=', signature]),
  }
}

/** Throws TypeError when a header that is to be signed is missing. */
export function assertHeaderPresent(
  headers: readonly (readonly [name: string, ...unknown[]])[],
  lowerName: string,
): void {
  if (!headers.some(([name]) => name.toLowerCase() === lowerName)) {
    throw new TypeError(`the header ${lowerName} is to be signed but has no value`)
  }
}

/** The six blocks of a canonical request. The bucket is in the URI wherever it stands in the URL. */
function requestBlocks(
  { method, bucket, key }: Pick<CanonicalInput, 'method' | 'bucket' | 'key'>,
  query: readonly FormPiece[],
  headers: readonly FormPiece[],
  additional: readonly string[],
): FormPiece[] {
  const uri = bucket ? `/${encodeRfc3986(bucket)}/${encodeKey(key ?? '')}` : '/'
  const start = `${method.toUpperCase()}\n${uri}\n`
  return [start, ...query, '\n', ...headers, `\n${additional.join(';')}\n${UNSIGNED_PAYLOAD}`]
}

/** The lines of the headers that are signed. They order by name alone: with the value in the comparison, `x-a` and `x-a-b` could change
 *  places. */
function headerLines(
  headers: readonly (readonly [name: string, value: FormPiece])[],
  additional: readonly string[],
): FormPiece[] {
  return headers
    .map(([name, value]) => ({ lower: name.toLowerCase(), value: typeof value === 'string' ? value.trim() : value }))
    .filter(({ lower }) => isSignedByDefault(lower) || additional.includes(lower))
    .sort((a, b) => compare(a.lower, b.lower))
    .flatMap(({ lower, value }) => [`${lower}:`, value, '\n'])
}

function isSignedByDefault(lowerName: string): boolean {
  return lowerName.startsWith('x-oss-') || lowerName === 'content-type' || lowerName === 'content-md5'
}

type QueryPair = readonly [encodedName: string, printed: readonly FormPiece[]]

function encodePairs(query: QueryV4): QueryPair[] {
  const pairs = Array.isArray(query) ? query : Object.entries(query)
  return pairs.map(([name, value]: readonly [string, string | null]) => {
    const encodedName = encodeRfc3986(name)
    return [encodedName, [value ? `${encodedName}=${encodeRfc3986(value)}` : encodedName]] as const
  })
}

function joinPairs(pairs: readonly QueryPair[]): FormPiece[] {
  return [...pairs]
    .sort(([a], [b]) => compare(a, b))
    .flatMap(([, printed], index) => (index === 0 ? printed : ['&', ...printed]))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
