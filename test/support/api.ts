import { createHash, randomBytes } from 'node:crypto'
import { crc64, type EndpointName, endpoints, foldCrc64, type PartGrant, type Upload } from '@partway/client/contract'

/** What came back: the status, the JSON (an upload, grants, or a problem) and the headers. */
export interface ApiReply {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into replies of every shape, and assert what they find.
  body: any
  headers: Headers
}

interface CallOptions {
  id?: string
  tenant?: string
  query?: Record<string, string>
  body?: unknown
  headers?: Record<string, string>
}

export type Api = (name: EndpointName, options?: CallOptions) => Promise<ApiReply>

/** Calls endpoints by their name in the contract, with one token, and no retries: tests see what the server says. */
export function createApi(baseUrl: string, token: string): Api {
  return async (name, { id, tenant, query = {}, body, headers = {} } = {}) => {
    const { method, path } = endpoints[name]
    const filled = path
      .replace('{id}', encodeURIComponent(id ?? ''))
      .replace('{tenant}', encodeURIComponent(tenant ?? ''))
    const url = new URL(`${baseUrl}${filled}`)
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
    const reply = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await reply.text()
    return { status: reply.status, body: text === '' ? null : JSON.parse(text), headers: reply.headers }
  }
}

export const MiB = 1_048_576

/** Bytes nobody can guess, so that no two parts or files of a test are equal by accident. */
export function someBytes(sizeBytes: number): Buffer {
  return randomBytes(sizeBytes)
}

export function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64')
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function crc64Of(bytes: Uint8Array): string {
  return crc64(bytes).toString()
}

/** The bytes of one part of a file, by the upload's plan. */
export function partOf(bytes: Uint8Array, upload: Pick<Upload, 'partSizeBytes'>, partNumber: number): Uint8Array {
  const start = (partNumber - 1) * upload.partSizeBytes
  return bytes.subarray(start, start + upload.partSizeBytes)
}

/** PUTs one part to its grant, as a client does: exactly the granted headers, untyped bytes. */
export async function putPart(grant: PartGrant, bytes: Uint8Array): Promise<Response> {
  return fetch(grant.url, { method: grant.method, headers: grant.headers, body: new Uint8Array(bytes) })
}

/** Grants and sends some parts (by default all of them), and reports nothing. */
export async function sendParts(api: Api, upload: Upload, bytes: Uint8Array, partNumbers?: number[]): Promise<void> {
  const numbers = partNumbers ?? Array.from({ length: upload.partCount }, (_, index) => index + 1)
  const parts = numbers.map((partNumber) => ({ partNumber, md5: md5Of(partOf(bytes, upload, partNumber)) }))
  const reply = await api('grantParts', { id: upload.id, body: { parts } })
  if (reply.status !== 200) throw new Error(`grants: ${reply.status} ${JSON.stringify(reply.body)}`)
  for (const grant of reply.body.grants as PartGrant[]) {
    const sent = await putPart(grant, partOf(bytes, upload, grant.partNumber))
    if (sent.status !== 200) throw new Error(`part ${grant.partNumber}: ${sent.status} ${await sent.text()}`)
  }
}

/** The CRC-64 of a file by its parts, as the SDK computes it. */
export function foldedCrc64(bytes: Uint8Array, upload: Upload): string {
  const numbers = Array.from({ length: upload.partCount }, (_, index) => index + 1)
  return foldCrc64(
    numbers.map((partNumber) => {
      const part = partOf(bytes, upload, partNumber)
      return { crc64: crc64(part), sizeBytes: part.length }
    }),
  ).toString()
}

/** Creates an upload for `bytes`. Throws unless the server makes or finds one. */
export async function createFor(api: Api, bytes: Uint8Array, fields: Record<string, unknown> = {}): Promise<Upload> {
  const reply = await api('createUpload', {
    body: { fileName: 'file.bin', sizeBytes: bytes.length, partSizeBytes: MiB, ...fields },
  })
  if (reply.status !== 201 && reply.status !== 200)
    throw new Error(`create: ${reply.status} ${JSON.stringify(reply.body)}`)
  return reply.body.upload
}
