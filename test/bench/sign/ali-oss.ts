import OSS from 'ali-oss'
import type { Prepare } from '../support/contender-process.ts'
import type { SignInput, SignResult } from './input.ts'
import { signForAWhile } from './pace.ts'

/** The same URLs by the official client. */
export const prepare: Prepare<SignInput, SignResult> = async (input) => {
  const { accessKeyId, accessKeySecret, securityToken, bucket, region, key, uploadId, partSizeBytes, md5s } = input
  const oss = new OSS({
    accessKeyId,
    accessKeySecret,
    stsToken: securityToken,
    bucket,
    region: `oss-${region}`,
    secure: true,
    authorizationV4: true,
  } as OSS.Options)
  return () =>
    signForAWhile(input, async (first, count) => {
      let url = ''
      for (let index = first; index < first + count; index++) {
        const request = {
          headers: { 'Content-MD5': md5s[index] ?? '', 'Content-Length': String(partSizeBytes) },
          queries: { partNumber: String(index + 1), uploadId },
        }
        url = await oss.signatureUrlV4('PUT', input.expiresSeconds, request, key, ['Content-Length'])
      }
      return url
    })
}
