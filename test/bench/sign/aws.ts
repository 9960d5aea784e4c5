import { S3Client, UploadPartCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { Prepare } from '../support/contender-process.ts'
import type { SignInput, SignResult } from './input.ts'
import { signForAWhile } from './pace.ts'

/** The same parts, presigned for S3. */
export const prepare: Prepare<SignInput, SignResult> = async (input) => {
  const { bucket, key, uploadId, partSizeBytes, md5s } = input
  const client = new S3Client({
    region: input.region,
    credentials: {
      accessKeyId: input.accessKeyId,
      secretAccessKey: input.accessKeySecret,
      sessionToken: input.securityToken,
    },
    // Its checksum of an empty body would be signed into the URL, and then bind a body that is not there yet.
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  return () =>
    signForAWhile(input, async (first, count) => {
      let url = ''
      for (let index = first; index < first + count; index++) {
        const command = new UploadPartCommand({
          Bucket: bucket,
          Key: key,
          UploadId: uploadId,
          PartNumber: index + 1,
          ContentLength: partSizeBytes,
          ContentMD5: md5s[index],
        })
        url = await getSignedUrl(client, command, {
          expiresIn: input.expiresSeconds,
          // Otherwise the presigner leaves both out of the signature.
          unhoistableHeaders: new Set(['content-md5', 'content-length']),
          signableHeaders: new Set(['host', 'content-md5', 'content-length']),
        })
      }
      return url
    })
}
