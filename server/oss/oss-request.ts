import { setTimeout as delay } from 'node:timers/promises'
import { type Addressing, canonicalQueryV4, ossUrl, type QueryV4 } from '@partway/client/contract'
import { Agent } from 'undici'
import type { OssOperation } from '../cloud-operations.ts'
import type { CredentialSource } from './credential-source.ts'
import { StorageProblem } from './object-store.ts'
import { type ExpectedReply, interpretReply, OssError, type OssReply } from './oss-reply.ts'
import { signHeadersV4 } from './sign-v4.ts'

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
  observe?: (operation: OssOperation, outcome: string, seconds: number) => void
}

export interface OssCall extends ExpectedReply {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  key?: string
  query?: QueryV4
  headers?: Record<string, string>
  body?: string
  /** May be sent again by itself after a failure. Only for calls that change nothing when repeated. */
  repeatable?: boolean
  timeoutMs?: number
}

// Shorter than a lease (30 s), so that whoever takes over a row finds no call of its former driver still on its way.
const defaultTimeoutMs = 8_000
const tries = 3
const maxReplyBytes = 8 * 1024 * 1024

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
    // Not AbortSignal.timeout: what a call holds would live on until its time is over, and be old by then for the garbage collector.
    const tooLong = new AbortController()
    const timer = setTimeout(() => tooLong.abort(timeoutError()), call.timeoutMs ?? defaultTimeoutMs)
    try {
      const reply = await agent.request({
        ...exactly(url),
        method: call.method,
        headers,
        // An empty body still needs its Content-Length: OSS answers 411 without one.
        body: call.body ?? (call.method === 'POST' || call.method === 'PUT' ? '' : null),
        signal: tooLong.signal,
      })
      const text = await readText(reply.body)
      const answer = interpretReply(call, reply.statusCode, reply.headers, text)
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
      clearTimeout(timer)
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

/** The URL as it is written. Parsed as a URL, a name of dots in its path would be folded: another key, and another signature. Whoever holds
 *  credentials for a folder can begin an upload of such a key. */
function exactly(url: string): { origin: string; path: string } {
  const pathAt = url.indexOf('/', url.indexOf('//') + 2)
  return { origin: url.slice(0, pathAt), path: url.slice(pathAt) }
}

function timeoutError(): DOMException {
  return new DOMException('object storage did not answer in time', 'TimeoutError')
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
  if (cause instanceof OssError && !isDenied && isFinal(cause)) {
    return new StorageProblem('Object storage refused the request.', { cause, maybeApplied, isFinal: true })
  }
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
