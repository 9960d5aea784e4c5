import { createUploadClient } from '@partway/client/node'
import type { Prepare } from '../support/contender-process.ts'
import type { TransferInput, TransferResult } from './input.ts'

/** The SDK with its defaults: every part hashed twice, MD5 and CRC-64. */
export const prepare: Prepare<TransferInput, TransferResult> = async (input) => {
  const { path, parallel, partSizeBytes, url, token = '' } = input
  const client = createUploadClient({ baseUrl: url, token: () => token })
  return async () => {
    const { key } = await client.upload(path, { parallel, partSizeBytes }).done
    return { location: key }
  }
}
