import { expect, it } from 'vitest'
import { createAliyunObjectStore } from '../../server/oss/aliyun-object-store.ts'
import { staticCredentials } from '../../server/oss/credential-source.ts'
import { presignV4 } from '../../server/oss/sign-v4.ts'
import { CLOCK, KEY } from '../local-cloud/vectors-v4.ts'

const credentials = { ...KEY, securityToken: 'CAIS+token/with=signs' }
const md5 = 'XrY7u+Ae7tCTyyK7j1rNww=='

it.each([true, false])(
  'parts with and without an MD5 are presigned as each alone would be; their lengths bound: %s',
  async (signContentLength) => {
    const store = createAliyunObjectStore({
      bucket: 'examplebucket',
      region: 'cn-hangzhou',
      endpoint: 'https://oss-cn-hangzhou-internal.aliyuncs.com',
      addressing: 'virtual',
      publicEndpoint: 'https://oss-cn-hangzhou.aliyuncs.com',
      publicAddressing: 'virtual',
      credentials: staticCredentials(credentials),
      signContentLength,
      forbidOverwrite: true,
      now: () => CLOCK,
      observe: () => {},
    })
    const { presign, expiresAt } = await store.presignParts('a b/ü.bin', 'an upload', 900)
    expect(expiresAt.getTime()).toBe(Math.floor(CLOCK.getTime() / 1000) * 1000 + 900_000)
    const parts = [
      { partNumber: 1, sizeBytes: 8_388_608, md5 },
      { partNumber: 2, sizeBytes: 8_388_608, md5: undefined },
      { partNumber: 3, sizeBytes: 8_388_608, md5: 'AAAAAAAAAAAAAAAAAAAAAA==' },
      { partNumber: 10_000, sizeBytes: 1, md5 },
      { partNumber: 10_000, sizeBytes: 77, md5: undefined },
      { partNumber: 4, sizeBytes: 8_388_608, md5 },
    ]
    for (const part of parts) {
      const { url, headers } = presign(part)
      const sent = part.md5 ? { 'Content-MD5': part.md5 } : {}
      expect(headers).toEqual(sent)
      expect(url).toBe(
        presignV4({
          method: 'PUT',
          baseUrl: 'https://oss-cn-hangzhou.aliyuncs.com',
          addressing: 'virtual',
          bucket: 'examplebucket',
          key: 'a b/ü.bin',
          region: 'cn-hangzhou',
          credentials,
          now: CLOCK,
          expiresSeconds: 900,
          query: { partNumber: String(part.partNumber), uploadId: 'an upload' },
          headers: { ...sent, ...(signContentLength ? { 'content-length': String(part.sizeBytes) } : {}) },
          additionalHeaders: signContentLength ? ['content-length'] : [],
        }),
      )
    }
    await store.close()
  },
)
