import { fillIn, isFormOf, type TextForm, textForm } from './text-form.ts'

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
  return joinSorted(encodePairs(query))
}

/** Lower-case, sorted, without the names that are signed anyway, as SDKs drop them. */
export function additionalHeaderNames(names: readonly string[] = []): string[] {
  return [...new Set(names.map((name) => name.toLowerCase()))].filter((name) => !isSignedByDefault(name)).sort()
}

/** The six blocks of the canonical request. The payload hash is always UNSIGNED-PAYLOAD: the service takes no other. */
export function canonicalRequestV4(input: CanonicalInput): string {
  const additional = additionalHeaderNames(input.additionalHeaders)
  const headers = canonicalHeaders(input.headers ?? {}, additional)
  return joinBlocks(startLines(input), canonicalQueryV4(input.query ?? []), headers, additional)
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

/** What every URL of one batch shares. `expiresSeconds` is 1 to 604800, counted from `now`. */
export interface PresignTextBatch extends UrlTarget {
  readonly method: string
  readonly region: string
  readonly accessKeyId: string
  readonly securityToken?: string | undefined
  readonly now: Date
  readonly expiresSeconds: number
  readonly additionalHeaders?: readonly string[]
}

/** What differs from URL to URL: `headers` are those whose values get bound (those signed by default and the additional ones). */
export interface PresignOne {
  readonly query?: Readonly<Record<string, string | null>>
  readonly headers?: Readonly<Record<string, string>>
}

/** A URL that lacks only its signature. */
export interface PresignText {
  /** `yyyyMMdd'T'HHmmss'Z'`: chooses the signing key. */
  readonly timestamp: string
  readonly canonicalRequest: string
  /** The URL to use, given the hex signature of `canonicalRequest`. */
  urlWith(signature: string): string
}

/** Prepares presigning of many URLs of one object, such as its parts. Throws RangeError on an expiry out of bounds. The holder of a URL
 *  must send exactly the bound headers, and no other Content-Type or `x-oss-*` header.
 *
 *  Names are encoded, checked and sorted once for all requests that have the same ones; each then only fills its values in. Done for each
 *  request, that takes twice as long as its SHA-256 and HMAC. */
export function createPresignTextV4(batch: PresignTextBatch): (one: PresignOne) => PresignText {
  const { region, accessKeyId, securityToken, expiresSeconds } = batch
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    throw new RangeError(`expiresSeconds must be an integer from 1 to ${MAX_EXPIRES_SECONDS}`)
  }
  const timestamp = timestampV4(batch.now)
  const additional = additionalHeaderNames(batch.additionalHeaders)
  const shared = encodePairs({
    'x-oss-signature-version': ALGORITHM_V4,
    'x-oss-credential': `${accessKeyId}/${scopeV4(timestamp, region)}`,
    'x-oss-date': timestamp,
    'x-oss-expires': String(expiresSeconds),
    ...(securityToken ? { 'x-oss-security-token': securityToken } : {}),
    ...(additional.length > 0 ? { 'x-oss-additional-headers': additional.join(';') } : {}),
  })
  const root = ossUrl(batch)
  const start = startLines(batch)
  let query: TextForm | undefined
  let headers: TextForm | undefined

  return ({ query: queryValues = {}, headers: headerValues = {} }) => {
    if (!headers || !isFormOf(headers, headerValues)) {
      for (const name of additional) assertHeaderPresent(headerValues, name)
      headers = headersForm(Object.keys(headerValues), additional)
    }
    if (!query || !isFormOf(query, queryValues)) query = queryForm(Object.keys(queryValues), shared)
    const signed = fillIn(query, queryValues, printQueryValue)
    return {
      timestamp,
      canonicalRequest: joinBlocks(start, signed, fillIn(headers, headerValues, printHeaderValue), additional),
      urlWith: (signature) => `${root}?${signed}&x-oss-signature=${signature}`,
    }
  }
}

/** Throws TypeError when a header that is to be signed has no value. */
export function assertHeaderPresent(headers: Readonly<Record<string, string>>, lowerName: string): void {
  if (!Object.keys(headers).some((name) => name.toLowerCase() === lowerName)) {
    throw new TypeError(`the header ${lowerName} is to be signed but has no value`)
  }
}

/** The first block: method and URI. The bucket is in the URI wherever it stands in the URL. */
function startLines({ method, bucket, key }: Pick<CanonicalInput, 'method' | 'bucket' | 'key'>): string {
  return `${method.toUpperCase()}\n${bucket ? `/${encodeRfc3986(bucket)}/${encodeKey(key ?? '')}` : '/'}`
}

/** The canonical request from its first block, canonical query, canonical header lines and additional names. */
function joinBlocks(start: string, query: string, headers: string, additional: readonly string[]): string {
  return `${start}\n${query}\n${headers}\n${additional.join(';')}\n${UNSIGNED_PAYLOAD}`
}

function canonicalHeaders(headers: Readonly<Record<string, string>>, additional: readonly string[]): string {
  return fillIn(headersForm(Object.keys(headers), additional), headers, printHeaderValue)
}

/** The lines of the headers among these names that are signed. They order by name alone: with the value in the comparison, `x-a` and
 *  `x-a-b` could change places. */
function headersForm(names: readonly string[], additional: readonly string[]): TextForm {
  const signed = names
    .map((name) => ({ lower: name.toLowerCase(), name }))
    .filter(({ lower }) => isSignedByDefault(lower) || additional.includes(lower))
    .sort((a, b) => compare(a.lower, b.lower))
  return textForm(
    names,
    signed.flatMap(({ lower, name }) => [`${lower}:`, { name }, '\n']),
  )
}

function isSignedByDefault(lowerName: string): boolean {
  return lowerName.startsWith('x-oss-') || lowerName === 'content-type' || lowerName === 'content-md5'
}

type EncodedPair = readonly [encodedName: string, printed: string]

function encodePairs(query: QueryV4): EncodedPair[] {
  const pairs = Array.isArray(query) ? query : Object.entries(query)
  return pairs.map(([name, value]: readonly [string, string | null]) => {
    const encodedName = encodeRfc3986(name)
    return [encodedName, `${encodedName}${printQueryValue(value)}`] as const
  })
}

function joinSorted(pairs: EncodedPair[]): string {
  return pairs
    .sort(([a], [b]) => compare(a, b))
    .map(([, printed]) => printed)
    .join('&')
}

/** The query that has these names, their values left open, and `shared`. */
function queryForm(names: readonly string[], shared: readonly EncodedPair[]): TextForm {
  const open = names.map((name) => ({ encodedName: encodeRfc3986(name), printed: [encodeRfc3986(name), { name }] }))
  const known = shared.map(([encodedName, printed]) => ({ encodedName, printed: [printed] }))
  const sorted = [...open, ...known].sort((a, b) => compare(a.encodedName, b.encodedName))
  return textForm(
    names,
    sorted.flatMap(({ printed }, index) => (index === 0 ? printed : ['&', ...printed])),
  )
}

function printQueryValue(value: string | null | undefined): string {
  return value ? `=${encodeRfc3986(value)}` : ''
}

function printHeaderValue(value = ''): string {
  return value.trim()
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
