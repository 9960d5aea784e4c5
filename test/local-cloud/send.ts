import { type IncomingHttpHeaders, request } from 'node:http'
import { ossUrl, type QueryV4 } from '@partway/client/contract'
import { type CredentialsV4, presignV4, signHeadersV4 } from '../../server/oss/sign-v4.ts'
import { ROOT_KEY, TEST_BUCKET, TEST_REGION } from '../support/local-cloud.ts'

/** One request to the local cloud, signed in its headers unless `sign` says otherwise. */
export interface Sending {
  method: string
  key?: string
  bucket?: string | null
  query?: QueryV4
  headers?: Record<string, string>
  body?: Buffer | string
  credentials?: CredentialsV4
  now?: Date
  region?: string
  additionalHeaders?: string[]
  /** Default 'header'. */
  sign?: 'header' | 'query' | 'none'
  expiresSeconds?: number
  /** Headers sent but not signed, replacing signed ones of the same name. */
  unsignedHeaders?: Record<string, string>
}

export interface Received {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  text: string
  /** Text of the first element of that name, entities left as they are. */
  xml(name: string): string | undefined
  /** Code, EC and message of an error. */
  error: { code: string | undefined; ec: string | undefined; message: string | undefined }
}

/** Sends over path-style addressing. `cloudUrl` is the cloud's OSS URL. */
export async function send(cloudUrl: string, sending: Sending): Promise<Received> {
  const {
    method,
    key,
    query = {},
    headers = {},
    credentials = ROOT_KEY,
    now = new Date(),
    region = TEST_REGION,
  } = sending
  const bucket = sending.bucket === undefined ? TEST_BUCKET : sending.bucket
  const { additionalHeaders = [], sign = 'header' } = sending
  const body = sending.body === undefined ? undefined : Buffer.from(sending.body)
  const lengths = body === undefined ? {} : { 'content-length': String(body.length) }
  const target = { baseUrl: cloudUrl, addressing: 'path' as const, bucket, ...(key === undefined ? {} : { key }) }
  const signing = {
    method,
    ...target,
    region,
    credentials,
    now,
    query,
    additionalHeaders,
    headers: { ...lengths, ...headers },
  }
  const pairs = Array.isArray(query) ? query : Object.entries(query)
  const printed = pairs
    .map(([name, value]) => encodeURIComponent(name) + (value === null ? '' : `=${encodeURIComponent(value)}`))
    .join('&')
  const url =
    sign === 'query'
      ? presignV4({ ...signing, query: Object.fromEntries(pairs), expiresSeconds: sending.expiresSeconds ?? 900 })
      : ossUrl(target, printed)
  const signed = sign === 'header' ? signHeadersV4(signing) : { ...lengths, ...headers }
  return exchange(url, method, { ...signed, ...sending.unsignedHeaders }, body)
}

/** Sends exactly this. */
export function exchange(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: Buffer | undefined,
): Promise<Received> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        outgoing.destroy()
        resolve(received(incoming.statusCode ?? 0, incoming.headers, Buffer.concat(chunks)))
      })
    })
    if (body && body.length > 0) outgoing.write(body)
    outgoing.end()
  })
}

function received(status: number, headers: IncomingHttpHeaders, body: Buffer): Received {
  const inHeader =
    typeof headers['x-oss-err'] === 'string' ? Buffer.from(headers['x-oss-err'], 'base64').toString() : ''
  const text = body.subarray(0, 1024 * 1024).toString('utf8') || inHeader
  const xml = (name: string) => new RegExp(`<${name}(?: [^>]*)?>([\\s\\S]*?)</${name}>`).exec(text)?.[1]
  return { status, headers, body, text, xml, error: { code: xml('Code'), ec: xml('EC'), message: xml('Message') } }
}
