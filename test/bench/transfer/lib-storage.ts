import { createReadStream } from 'node:fs'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import type { Prepare } from '../support/contender-process.ts'
import type { TransferInput, TransferResult } from './input.ts'

/** AWS's own uploader, told to hash no more than it must. */
export const prepare: Prepare<TransferInput, TransferResult> = async (input) => {
  const { path, parallel, partSizeBytes, url, key = '', bucket = '' } = input
  const client = new S3Client({
    endpoint: url,
    forcePathStyle: true,
    region: 'us-east-1',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  return async () => {
    const params = { Bucket: bucket, Key: key, Body: createReadStream(path) }
    await new Upload({ client, params, queueSize: parallel, partSize: partSizeBytes }).done()
    return { location: key }
  }
}
