import { hash, randomBytes } from 'node:crypto'
import type { PartGrant, Upload } from '@partway/client/contract'
import type { Partway } from '../support/partway.ts'
import type { LoadInput } from './load.ts'

export type LoadRequest = LoadInput['requests'][number]

const MiB = 2 ** 20
const md5s = Array.from({ length: 1000 }, () => randomBytes(16).toString('base64'))

/** Requests to a server, as the SDK sends them. */
export function partwayRequests({ token }: Pick<Partway, 'token'>) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const request = (method: LoadRequest['method'], path: string, body?: object): LoadRequest => ({
    method,
    path: `/v1/uploads${path}`,
    headers,
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
  return {
    create: (partCount: number, sizeBytes = partCount * MiB) =>
      request('POST', '', { fileName: 'file.bin', sizeBytes, partSizeBytes: MiB }),
    grants: (id: string, count: number) =>
      request('POST', `/${id}/grants`, {
        parts: numbers(count).map((partNumber) => ({ partNumber, md5: md5s[partNumber - 1] })),
      }),
    checkpoint: (id: string, count: number) =>
      request('PUT', `/${id}/checkpoint`, {
        parts: numbers(count).map((partNumber) => ({ partNumber, crc64: String(partNumber) })),
      }),
    get: (id: string) => request('GET', `/${id}`),
    complete: (id: string) => request('POST', `/${id}/complete`, {}),
  }
}

/** Sends one request. Throws when it is refused. */
export async function send<Reply>(url: string, request: LoadRequest): Promise<Reply> {
  const { method, headers, body } = request
  const reply = await fetch(`${url}${request.path}`, { method, headers, ...(body ? { body } : {}) })
  const text = await reply.text()
  if (!reply.ok) throw new Error(`${method} ${request.path}: ${reply.status} ${text.slice(0, 300)}`)
  return JSON.parse(text) as Reply
}

/** An upload of `partCount` parts of 1 MiB, none of them sent. */
export async function createUpload(server: Pick<Partway, 'url' | 'token'>, partCount: number): Promise<Upload> {
  return (await send<{ upload: Upload }>(server.url, partwayRequests(server).create(partCount))).upload
}

/** An upload of one small part that is stored: all that is left to do is to complete it. */
export async function createStoredUpload(server: Pick<Partway, 'url' | 'token'>): Promise<Upload> {
  const bytes = randomBytes(1024)
  const requests = partwayRequests(server)
  const { upload } = await send<{ upload: Upload }>(server.url, requests.create(1, bytes.length))
  const asked = requests.grants(upload.id, 1)
  const md5 = hash('md5', bytes, 'base64')
  const body = JSON.stringify({ parts: [{ partNumber: 1, md5 }] })
  const { grants } = await send<{ grants: PartGrant[] }>(server.url, { ...asked, body })
  const [grant] = grants
  if (!grant) throw new Error('no grant')
  const stored = await fetch(grant.url, { method: 'PUT', headers: grant.headers, body: new Uint8Array(bytes) })
  if (!stored.ok) throw new Error(`the part: ${stored.status}`)
  return upload
}
