import { describe, it } from 'vitest'
import { loadConfig } from '../../server/config.ts'
import { createAliyunObjectStore } from '../../server/oss/aliyun-object-store.ts'
import { defaultCredentialChain } from '../../server/oss/credential-source.ts'
import { describeObjectStore } from '../support/object-store-suite.ts'

/* Against a real bucket: set the server's own variables (OSS_BUCKET, OSS_REGION, credentials, …), and run
 * `npx vitest run --config test/vitest.config.ts --project live`. Everything happens under `uploads/live-test/`, and is removed. */

if (process.env.OSS_BUCKET) {
  describeObjectStore('the object store on Alibaba Cloud', async () => {
    const { oss } = loadConfig({ JWT_SECRET: 'of no use here, but asked for', ...process.env })
    const store = createAliyunObjectStore({
      ...oss,
      credentials: defaultCredentialChain(),
      signContentLength: true,
      forbidOverwrite: true,
      now: () => new Date(),
    })
    return { store, prefix: 'uploads/live-test/', close: () => store.close() }
  })
} else {
  describe('the object store on Alibaba Cloud', () => {
    it.skip('needs OSS_BUCKET and credentials', () => {})
  })
}
