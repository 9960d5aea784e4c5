import { createReadStream } from 'node:fs'
import * as tus from 'tus-js-client'
import type { Prepare } from '../support/contender-process.ts'
import type { TransferInput, TransferResult } from './input.ts'

/** tus-js-client. `parallel` above 1 makes that many uploads, which servers with the extension `concatenation` join. */
export const prepare: Prepare<TransferInput, TransferResult> = async (input) => {
  const { path, sizeBytes, parallel, partSizeBytes, url, retry } = input
  return () =>
    new Promise((resolve, reject) => {
      const upload = new tus.Upload(createReadStream(path), {
        endpoint: url,
        ...(parallel > 1 ? { parallelUploads: parallel } : { uploadSize: sizeBytes }),
        ...(retry === undefined ? { chunkSize: partSizeBytes } : {}),
        ...(retry === 'on' ? { retryDelays: [0, ...Array.from({ length: 60 }, () => 1000)] } : {}),
        onSuccess: () => resolve({ location: upload.url ?? '' }),
        onError: reject,
      })
      upload.start()
    })
}
