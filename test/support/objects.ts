import { request } from 'node:http'
import type { PartGrant } from '@partway/client/contract'
import type { LocalCloud } from '../../server/local-cloud/local-cloud.ts'
import { presignV4 } from '../../server/oss/sign-v4.ts'
import { ROOT_KEY, TEST_BUCKET } from './local-cloud.ts'

/* What is really in the bucket, seen with the root key and not through the server under test. */

function rootUrl(cloud: Pick<LocalCloud, 'ossUrl' | 'region'>, method: string, key: string): string {
  return presignV4({
    method,
    baseUrl: cloud.ossUrl,
    addressing: 'path',
    bucket: TEST_BUCKET,
    key,
    region: cloud.region,
    credentials: ROOT_KEY,
    now: new Date(),
    expiresSeconds: 3600,
  })
}

/** The bytes of an object. Throws when there is none. */
export async function readObject(cloud: Pick<LocalCloud, 'ossUrl' | 'region'>, key: string): Promise<Buffer> {
  const reply = await fetch(rootUrl(cloud, 'GET', key))
  if (reply.status !== 200) throw new Error(`GetObject: ${reply.status} ${await reply.text()}`)
  return Buffer.from(await reply.arrayBuffer())
}

/** The headers of an object. Throws when there is none. */
export async function headObject(
  cloud: Pick<LocalCloud, 'ossUrl' | 'region'>,
  key: string,
): Promise<Record<string, string>> {
  const reply = await fetch(rootUrl(cloud, 'HEAD', key), { method: 'HEAD' })
  if (reply.status !== 200) throw new Error(`HeadObject: ${reply.status}`)
  return Object.fromEntries(reply.headers)
}

/** Puts an object that no upload of ours made. */
export async function putForeignObject(
  cloud: Pick<LocalCloud, 'ossUrl' | 'region'>,
  key: string,
  bytes: Uint8Array,
): Promise<void> {
  const reply = await fetch(rootUrl(cloud, 'PUT', key), { method: 'PUT', body: new Uint8Array(bytes) })
  if (reply.status !== 200) throw new Error(`PutObject: ${reply.status} ${await reply.text()}`)
}

/** PUTs a part in two halves with `between` run when the first one is on its way. Resolves with the status. */
export function putPartAround(grant: PartGrant, bytes: Uint8Array, between: () => Promise<unknown>): Promise<number> {
  return new Promise((resolve, reject) => {
    const put = request(grant.url, {
      method: grant.method,
      headers: { ...grant.headers, 'content-length': String(bytes.length) },
    })
    put.on('error', reject)
    put.on('response', (reply) => {
      reply.resume()
      reply.on('end', () => resolve(reply.statusCode ?? 0))
    })
    const half = Math.ceil(bytes.length / 2)
    put.write(bytes.subarray(0, half), () => {
      between().then(() => put.end(bytes.subarray(half)), reject)
    })
  })
}
