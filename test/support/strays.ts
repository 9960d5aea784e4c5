import type { LocalCloud } from '../../server/local-cloud/local-cloud.ts'
import type { CredentialsV4 } from '../../server/oss/sign-v4.ts'
import { type Received, type Sending, send } from '../local-cloud/send.ts'
import { ROOT_KEY } from './local-cloud.ts'

/* Multipart uploads that are begun, filled and ended behind the server's back, by the root key unless told otherwise. */

type Cloud = Pick<LocalCloud, 'ossUrl' | 'faults'>

/** Sent as if it had been so long ago: then the cloud's clock, for this request alone, is as late as the signature's. */
async function sent(
  cloud: Cloud,
  sending: Sending & { key: string },
  credentials: CredentialsV4,
  agoMs = 0,
): Promise<Received> {
  if (agoMs > 0) {
    cloud.faults.add({ match: { key: sending.key }, times: 1, effect: { kind: 'clock', offsetMs: -agoMs } })
  }
  const reply = await send(cloud.ossUrl, { ...sending, credentials, now: new Date(Date.now() - agoMs) })
  if (reply.status >= 300) throw new Error(`${sending.method} ${sending.key}: ${reply.status} ${reply.text}`)
  return reply
}

/** Begins a multipart upload, with parts of these sizes, numbered from 1; `agoMs` ago. Resolves with its id. */
export async function beginOutside(
  cloud: Cloud,
  key: string,
  partSizes: readonly number[] = [],
  credentials: CredentialsV4 = ROOT_KEY,
  agoMs = 0,
): Promise<string> {
  const reply = await sent(cloud, { method: 'POST', key, query: { uploads: null } }, credentials, agoMs)
  const uploadId = reply.xml('UploadId') ?? ''
  for (const [index, sizeBytes] of partSizes.entries()) {
    await putOutside(cloud, key, uploadId, index + 1, sizeBytes, credentials, agoMs)
  }
  return uploadId
}

/** Begins one two hours ago: by then it may be nobody's work any more. */
export const beginLongAgo = (cloud: Cloud, key: string, partSizes: readonly number[]) =>
  beginOutside(cloud, key, partSizes, ROOT_KEY, 2 * 3_600_000)

export async function putOutside(
  cloud: Cloud,
  key: string,
  uploadId: string,
  partNumber: number,
  sizeBytes: number,
  credentials: CredentialsV4 = ROOT_KEY,
  agoMs = 0,
): Promise<void> {
  const query = { partNumber: String(partNumber), uploadId }
  await sent(cloud, { method: 'PUT', key, query, body: Buffer.alloc(sizeBytes, partNumber) }, credentials, agoMs)
}

export async function abortOutside(cloud: Cloud, key: string, uploadId: string): Promise<void> {
  await sent(cloud, { method: 'DELETE', key, query: { uploadId } }, ROOT_KEY)
}

/** Joins all parts that are stored. */
export async function completeOutside(cloud: Cloud, key: string, uploadId: string): Promise<void> {
  const { text } = await sent(cloud, { method: 'GET', key, query: { uploadId } }, ROOT_KEY)
  const parts = [...text.matchAll(/<PartNumber>(\d+)<\/PartNumber>[\s\S]*?<ETag>([\s\S]*?)<\/ETag>/g)]
  const list = parts.map(([, number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`)
  const body = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`
  await sent(cloud, { method: 'POST', key, query: { uploadId }, body }, ROOT_KEY)
}

/** Whether OSS knows the upload. */
export async function isThere(cloud: Pick<Cloud, 'ossUrl'>, key: string, uploadId: string): Promise<boolean> {
  const { status } = await send(cloud.ossUrl, { method: 'GET', key, query: { uploadId } })
  return status === 200
}
