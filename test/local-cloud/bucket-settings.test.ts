import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BucketSettings, createBucketSettings, isDenied } from '../../server/oss/bucket-settings.ts'
import { staticCredentials } from '../../server/oss/credential-source.ts'
import { judgeLifecycle, readAbortRules } from '../../server/oss/lifecycle-rules.ts'
import { mergeLifecycle } from '../../server/oss/merge-lifecycle.ts'
import { ROOT_KEY, SERVER_KEY, startTestCloud, TEST_BUCKET, type TestCloud } from '../support/local-cloud.ts'

let cloud: TestCloud
let owner: BucketSettings
let server: BucketSettings
const place = { keyPrefix: 'uploads/', ttlSeconds: 7 * 86_400 }

beforeAll(async () => {
  cloud = await startTestCloud()
  const connection = {
    bucket: TEST_BUCKET,
    region: cloud.region,
    endpoint: cloud.ossUrl,
    addressing: 'path' as const,
    now: () => new Date(),
  }
  owner = createBucketSettings({ ...connection, credentials: staticCredentials(ROOT_KEY) })
  server = createBucketSettings({ ...connection, credentials: staticCredentials(SERVER_KEY) })
})
afterAll(async () => {
  await Promise.all([owner.close(), server.close()])
  await cloud.cleanUp()
})

describe('the settings of a bucket', () => {
  it('are null where there are none', async () => {
    expect(await server.readLifecycle()).toBeNull()
    expect(await server.readCors()).toBeNull()
    expect(await server.readInfo()).toEqual({ versioning: null, location: 'oss-cn-hangzhou' })
  })

  it('come back with every rule after a merge, and cover the uploads', async () => {
    const theirs =
      '<Rule><ID>theirs</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>'
    await owner.writeLifecycle(`<LifecycleConfiguration>${theirs}</LifecycleConfiguration>`)
    await owner.writeLifecycle(mergeLifecycle(await owner.readLifecycle(), place) ?? '')
    const merged = await server.readLifecycle()
    expect(merged).toContain(theirs)
    expect(judgeLifecycle(readAbortRules(merged), place).verdict).toBe('covered')
  })

  it('tell who may not look or write from what went wrong', async () => {
    expect(isDenied(await server.writeLifecycle('<LifecycleConfiguration/>').catch((error: unknown) => error))).toBe(
      true,
    )
    expect(isDenied(await owner.writeLifecycle('<LifecycleConfiguration/>').catch((error: unknown) => error))).toBe(
      false,
    )
  })
})
