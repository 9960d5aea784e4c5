import type { IncomingMessage } from 'node:http'
import { invalidArgument, OssError } from './oss-error.ts'
import { type AddressingOptions, type BucketStyle, resolveBucket } from './resolve-bucket.ts'

/** One request as OSS understands it: decoded, with its bucket found wherever it stood. Nothing in it is trusted yet. */
export interface OssRequest {
  readonly id: string
  readonly method: string
  readonly host: string
  readonly bucket: string | null
  readonly key: string | null
  /** How the bucket was addressed; null at service level. */
  readonly style: BucketStyle | null
  /** Decoded, in the order received, for the signature. */
  readonly query: ReadonlyArray<readonly [string, string | null]>
  /** The first value of each name; '' where there is none. */
  readonly params: ReadonlyMap<string, string>
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly sourceIp: string
  readonly secure: boolean
  /** null when the length is not declared. */
  readonly contentLength: number | null
  readonly chunked: boolean
}

/** Reads method, target and headers. Throws OssError 400 for a target or header that cannot be read, 403 for path style where it
 *  is forbidden. */
export function parseRequest(options: AddressingOptions, incoming: IncomingMessage, id: string): OssRequest {
  const host = incoming.headers.host ?? ''
  const target = (incoming.url ?? '/').replace(/^https?:\/\/[^/?]*/i, '')
  const queryAt = target.indexOf('?')
  const rawPath = queryAt < 0 ? target : target.slice(0, queryAt)
  const query = queryAt < 0 ? [] : parseQuery(target.slice(queryAt + 1))
  const place = resolveBucket(options, host, rawPath.startsWith('/') ? rawPath : `/${rawPath}`)
  const key = decodeKey(place.rawKey)
  return {
    id,
    method: incoming.method ?? 'GET',
    host,
    bucket: place.bucket,
    key: key === '' ? null : checkedKey(key),
    style: place.style,
    query,
    params: firstValues(query),
    headers: joinedHeaders(incoming),
    sourceIp: (incoming.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    secure: 'encrypted' in incoming.socket,
    contentLength: declaredLength(incoming),
    chunked: /\bchunked\b/i.test(incoming.headers['transfer-encoding'] ?? ''),
  }
}

function parseQuery(text: string): Array<readonly [string, string | null]> {
  return text
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=')
      if (equals < 0) return [decodeQuery(pair), null] as const
      return [decodeQuery(pair.slice(0, equals)), decodeQuery(pair.slice(equals + 1))] as const
    })
}

function decodeQuery(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw invalidArgument('The query string is not valid percent-encoded UTF-8.', 'query', text.slice(0, 200))
  }
}

function decodeKey(rawKey: string): string {
  try {
    return decodeURIComponent(rawKey)
  } catch {
    throw invalidObjectName()
  }
}

/** Object names: 1 to 1023 bytes of UTF-8, not beginning with a slash or backslash. */
export function checkedKey(key: string): string {
  const first = key[0]
  if (key === '' || first === '/' || first === '\\' || key.includes('\0')) throw invalidObjectName()
  if (Buffer.byteLength(key) > 1023) throw invalidObjectName()
  return key
}

function invalidObjectName(): OssError {
  return new OssError(400, 'InvalidObjectName', 'The specified object is not valid.')
}

function firstValues(query: OssRequest['query']): Map<string, string> {
  const params = new Map<string, string>()
  for (const [name, value] of query) if (!params.has(name)) params.set(name, value ?? '')
  return params
}

/** Repeated headers join with a comma, as the signature asks; Node keeps only the first of some, so raw headers are read. */
function joinedHeaders(incoming: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = Object.create(null)
  const { rawHeaders } = incoming
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    const value = rawHeaders[at + 1] ?? ''
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`
  }
  return headers
}

/** Header values as they were signed. Node hands out each byte as one character; a client that sends UTF-8 signed it as text. */
export function signedHeaders(request: OssRequest): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = /[\x80-\xff]/.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value
  }
  return headers
}

function declaredLength(incoming: IncomingMessage): number | null {
  const text = incoming.headers['content-length']
  if (text === undefined) return null
  const length = Number(text)
  if (!Number.isSafeInteger(length) || length < 0) {
    throw invalidArgument('The Content-Length is not a number.', 'Content-Length', text.slice(0, 40))
  }
  return length
}

/** An integer parameter within bounds, or `fallback` when absent. Throws InvalidArgument otherwise. */
export function integerParam(
  request: OssRequest,
  name: string,
  limits: { min: number; max: number; fallback: number },
) {
  const text = request.params.get(name)
  if (text === undefined || text === '') return limits.fallback
  const value = Number(text)
  if (!/^\d{1,10}$/.test(text) || value < limits.min || value > limits.max) {
    throw invalidArgument(
      `Argument ${name} must be an integer between ${limits.min} and ${limits.max}.`,
      name,
      text.slice(0, 100),
    )
  }
  return value
}
