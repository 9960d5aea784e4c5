import { setTimeout as delay } from 'node:timers/promises'
import { XMLParser } from 'fast-xml-parser'
import { Agent, request } from 'undici'
import type { CredentialSource } from './credential-source.ts'
import { StorageProblem } from './object-store.ts'
import { type Addressing, canonicalQueryV4, ossUrl, type QueryV4, signHeadersV4 } from './sign-v4.ts'

/** How the server itself reaches OSS. */
export interface OssConnection {
  bucket: string
  region: string
  /** With its scheme: `https://oss-cn-hangzhou-internal.aliyuncs.com`. */
  endpoint: string
  addressing: Addressing
  credentials: CredentialSource
  now: () => Date
  /** Told of every call: the operation as OSS names it, `ok`, an OSS error code or `unreachable`, and its duration. */
  observe?: (operation: string, outcome: string, seconds: number) => void
}

export interface OssCall {
  /** As OSS names it, such as ListParts. */
  operation: string
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  key?: string
  query?: QueryV4
  headers?: Record<string, string>
  body?: string
  /** Error codes that are answers and not failures, such as NoSuchUpload. */
  expect?: readonly string[]
  /** May be sent again by itself after a failure. Only for calls that change nothing when repeated. */
  repeatable?: boolean
  timeoutMs?: number
}

/** An answer: a 2xx, or an error whose code the call expected. */
export interface OssReply {
  status: number
  /** Undefined for success. */
  errorCode: string | undefined
  headers: Record<string, string | string[] | undefined>
  /** The root element's content, or an empty object. All values are text. */
  xml: Record<string, unknown>
  text: string
}

/** What went wrong at OSS, for the log: never the request, whose signature is a secret. */
export class OssError extends Error {
  readonly operation: string
  readonly status: number
  readonly code: string
  readonly ec: string | undefined
  readonly requestId: string | undefined

  constructor(operation: string, status: number, code: string, ec: string | undefined, requestId: string | undefined) {
    super(`${operation}: ${status} ${code}${ec ? ` (EC ${ec})` : ''}${requestId ? `, request id ${requestId}` : ''}`)
    this.name = 'OssError'
    this.operation = operation
    this.status = status
    this.code = code
    this.ec = ec
    this.requestId = requestId
  }
}

// Shorter than a lease (30 s), so that whoever takes over a row finds no call of its former driver still on its way.
const defaultTimeoutMs = 8_000
const tries = 3
const maxReplyBytes = 8 * 1024 * 1024

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  isArray: (name) => name === 'Part' || name === 'Upload' || name === 'Contents',
})

/** Sends signed requests to one bucket. `close` ends its connections. */
export function createOssRequester(connection: OssConnection) {
  const agent = new Agent({ connect: { timeout: 4_000 }, keepAliveTimeout: 30_000, connections: 128 })

  async function sendOnce(call: OssCall): Promise<OssReply> {
    const query = call.query ?? []
    const headers = signHeadersV4({
      method: call.method,
      bucket: connection.bucket,
      key: call.key ?? null,
      query,
      headers: call.headers ?? {},
      region: connection.region,
      credentials: await connection.credentials.get(),
      now: connection.now(),
    })
    const url = ossUrl(
      {
        baseUrl: connection.endpoint,
        addressing: connection.addressing,
        bucket: connection.bucket,
        key: call.key ?? null,
      },
      canonicalQueryV4(query),
    )
    const startedAt = performance.now()
    let outcome = 'unreachable'
    try {
      const reply = await request(url, {
        method: call.method,
        headers,
        // An empty body still needs its Content-Length: OSS answers 411 without one.
        body: call.body ?? (call.method === 'POST' || call.method === 'PUT' ? '' : null),
        dispatcher: agent,
        signal: AbortSignal.timeout(call.timeoutMs ?? defaultTimeoutMs),
      })
      const text = await readText(reply.body)
      const answer = interpret(call, reply.statusCode, reply.headers, text)
      outcome = answer.errorCode ?? 'ok'
      return answer
    } catch (error) {
      if (error instanceof OssError) {
        outcome = error.code
        // An Error inside a 200 tells nothing of what was done before it.
        throw failure(error, error.status < 400 || error.status >= 500)
      }
      throw failure(error, !neverSent(error))
    } finally {
      connection.observe?.(call.operation, outcome, (performance.now() - startedAt) / 1000)
    }
  }

  return {
    /** Throws StorageProblem, and `credentials-unavailable`. */
    async send(call: OssCall): Promise<OssReply> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await sendOnce(call)
        } catch (error) {
          const worthRepeating = error instanceof StorageProblem && !isFinal(error.cause)
          if (!call.repeatable || !worthRepeating || attempt >= tries) throw error
          await delay(Math.random() * 200 * 2 ** attempt)
        }
      }
    },
    close: () => agent.destroy(),
  }
}

function interpret(call: OssCall, status: number, headers: OssReply['headers'], text: string): OssReply {
  const xml = parseRoot(status === 200 || status >= 300 ? text : '')
  // A 200 may carry an Error: the service had begun to answer before it failed.
  const isError = status >= 300 || status === 203 || xml.name === 'Error'
  if (!isError) return { status, errorCode: undefined, headers, xml: xml.content, text }
  const details = call.method === 'HEAD' ? headErrorDetails(headers) : xml.content
  const code = textOf(details, 'Code') ?? `Http${status}`
  const isExpected =
    call.expect?.includes(code) || (call.method === 'HEAD' && status === 404 && call.expect?.includes('NoSuchKey'))
  if (isExpected && status < 500) return { status, errorCode: code, headers, xml: details, text }
  throw new OssError(
    call.operation,
    status,
    code,
    textOf(details, 'EC') ?? headerText(headers, 'x-oss-ec'),
    headerText(headers, 'x-oss-request-id'),
  )
}

function headErrorDetails(headers: OssReply['headers']): Record<string, unknown> {
  const encoded = headerText(headers, 'x-oss-err')
  return encoded ? parseRoot(Buffer.from(encoded, 'base64').toString('utf8')).content : {}
}

function parseRoot(text: string): { name: string; content: Record<string, unknown> } {
  if (!text.includes('<')) return { name: '', content: {} }
  try {
    const document: unknown = parser.parse(text)
    for (const [name, content] of Object.entries(document as Record<string, unknown>)) {
      if (name === '?xml') continue
      return {
        name,
        content: typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : {},
      }
    }
  } catch {
    // Not XML: the caller sees an empty document and judges by what it lacks.
  }
  return { name: '', content: {} }
}

/** The text of a child element, or undefined. */
export function textOf(xml: Record<string, unknown>, name: string): string | undefined {
  const value = xml[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A header as one text, or undefined. */
export function headerText(headers: OssReply['headers'], name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of body) {
    sizeBytes += chunk.length
    if (sizeBytes > maxReplyBytes) throw new Error(`a reply of more than ${maxReplyBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function failure(cause: unknown, maybeApplied: boolean): StorageProblem {
  const isDenied = cause instanceof OssError && (cause.status === 401 || cause.status === 403)
  const detail = isDenied
    ? 'Object storage refused the server’s credentials or rights.'
    : 'Object storage gave no usable answer.'
  return new StorageProblem(detail, { cause, maybeApplied })
}

/** An answer that will not change by asking again at once. */
function isFinal(cause: unknown): boolean {
  return (
    cause instanceof OssError &&
    cause.status >= 400 &&
    cause.status < 500 &&
    cause.status !== 408 &&
    cause.status !== 429
  )
}

const connectFailures = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

function neverSent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && connectFailures.has(String(error.code))
}
