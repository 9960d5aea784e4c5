import OSS from 'ali-oss'
import type { Prepare } from '../support/contender-process.ts'
import type { TransferInput, TransferResult } from './input.ts'

/** The official client, which hashes nothing. */
export const prepare: Prepare<TransferInput, TransferResult> = async (input) => {
  const { path, parallel, partSizeBytes, key = '', retry = 'default' } = input
  const oss = new OSS({
    endpoint: input.url,
    sldEnable: true,
    accessKeyId: input.accessKeyId ?? '',
    accessKeySecret: input.accessKeySecret ?? '',
    bucket: input.bucket ?? '',
    region: 'oss-cn-hangzhou',
    authorizationV4: true,
    ...(retry === 'on' ? { retryMax: 20 } : {}),
  } as OSS.Options)
  return async () => {
    await oss.multipartUpload(key, path, { parallel, partSize: partSizeBytes })
    return { location: key }
  }
}
