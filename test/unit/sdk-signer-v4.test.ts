import { describe, expect, it } from 'vitest'
import { presignFormsV4 } from '../../client-sdk/contract/canonical-v4.ts'
import { fillIn } from '../../client-sdk/contract/text-form.ts'
import { createSignerV4 } from '../../client-sdk/sts/signer-v4.ts'
import { signatureV4 } from '../../server/oss/sign-v4.ts'
import { CLOCK, KEY, presignVectors } from '../local-cloud/vectors-v4.ts'

describe('the client’s signer', () => {
  it.each(presignVectors)('presigns vector $name to the known URL', async (vector) => {
    const { timestamp, canonicalRequest, url } = presignFormsV4({
      method: vector.method,
      baseUrl: 'https://oss-cn-hangzhou.aliyuncs.com',
      addressing: 'virtual',
      bucket: 'examplebucket',
      key: vector.key,
      region: 'cn-hangzhou',
      accessKeyId: KEY.accessKeyId,
      ...(vector.token ? { securityToken: vector.token } : {}),
      now: CLOCK,
      expiresSeconds: vector.expiresSeconds,
      additionalHeaders: vector.additionalHeaders,
      query: vector.query,
      headers: vector.headers,
    })
    const request = fillIn(canonicalRequest, [])
    const signature = await createSignerV4(KEY.accessKeySecret, 'cn-hangzhou').sign(request, timestamp)
    expect(signature).toBe(vector.signature)
    expect(Object.fromEntries(new URL(fillIn(url, [signature])).searchParams)).toEqual(
      Object.fromEntries(new URL(vector.url).searchParams),
    )
  })

  it('goes on over midnight, and back, as the server’s signer does', async () => {
    const signer = createSignerV4('secret', 'cn-hangzhou')
    for (const timestamp of ['20251231T235959Z', '20260101T000000Z', '20251231T235959Z', '20260102T000000Z']) {
      expect(await signer.sign('a request', timestamp)).toBe(
        signatureV4('secret', timestamp, 'cn-hangzhou', 'a request'),
      )
    }
  })
})
