import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAliyunObjectStore } from '../../server/oss/aliyun-object-store.ts'
import { staticCredentials } from '../../server/oss/credential-source.ts'
import { StorageProblem } from '../../server/oss/object-store.ts'
import { SERVER_KEY, startTestCloud, TEST_BUCKET, TEST_REGION, type TestCloud } from '../support/local-cloud.ts'
import { describeObjectStore } from '../support/object-store-suite.ts'

function storeOn(cloud: Pick<TestCloud, 'ossUrl'>, endpoint = cloud.ossUrl) {
  return createAliyunObjectStore({
    bucket: TEST_BUCKET,
    region: TEST_REGION,
    endpoint,
    addressing: 'path',
    publicEndpoint: cloud.ossUrl,
    publicAddressing: 'path',
    credentials: staticCredentials(SERVER_KEY),
    signContentLength: true,
    forbidOverwrite: true,
    now: () => new Date(),
  })
}

describeObjectStore('the object store on the local cloud', async () => {
  const cloud = await startTestCloud()
  const store = storeOn(cloud)
  return {
    store,
    prefix: 'uploads/',
    async close() {
      await store.close()
      await cloud.cleanUp()
    },
  }
})

describe('a call to OSS that fails', () => {
  let cloud: TestCloud
  beforeAll(async () => {
    cloud = await startTestCloud()
  })
  afterAll(() => cloud.cleanUp())

  const attributes = { contentType: 'text/plain', contentDisposition: 'attachment', metadata: {} }
  async function failureOf(run: Promise<unknown>): Promise<StorageProblem> {
    const error = await run.then(
      () => null,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof StorageProblem)) throw new Error(`not a StorageProblem: ${error}`)
    return error
  }

  it('is tried again when it only reads', async () => {
    const store = storeOn(cloud)
    cloud.faults.add({
      match: { verb: 'HeadObject' },
      times: 2,
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
    })
    expect(await store.headObject('uploads/none')).toBeNull()
    await store.close()
  })

  it('is not repeated when it makes something, and says that it may have been done', async () => {
    const store = storeOn(cloud)
    const before = cloud.requests.count('InitiateMultipartUpload')
    cloud.faults.add({ match: { verb: 'InitiateMultipartUpload' }, times: 1, effect: { kind: 'cut', at: 'reply' } })
    expect((await failureOf(store.initiateUpload('uploads/cut', attributes))).maybeApplied).toBe(true)
    expect(cloud.requests.count('InitiateMultipartUpload') - before).toBe(1)
    await store.close()
  })

  it('certainly had no effect when nothing listens, or OSS refuses the rights', async () => {
    const nowhere = storeOn(cloud, 'http://127.0.0.1:1')
    expect((await failureOf(nowhere.initiateUpload('uploads/a', attributes))).maybeApplied).toBe(false)
    await nowhere.close()
    const store = storeOn(cloud)
    cloud.faults.add({
      match: { verb: 'InitiateMultipartUpload' },
      times: 1,
      effect: { kind: 'answer', status: 403, code: 'AccessDenied' },
    })
    expect((await failureOf(store.initiateUpload('uploads/a', attributes))).maybeApplied).toBe(false)
    await store.close()
  })

  it('is not worth asking again when OSS refuses the request itself, and is no outage', async () => {
    const store = storeOn(cloud)
    const effect = { kind: 'answer', status: 400, code: 'InvalidArgument' } as const
    cloud.faults.add({ match: { verb: 'InitiateMultipartUpload' }, times: 1, effect })
    const { code, retryAfterSeconds, maybeApplied } = await failureOf(store.initiateUpload('uploads/a', attributes))
    expect({ code, retryAfterSeconds, maybeApplied }).toEqual({
      code: 'internal',
      retryAfterSeconds: undefined,
      maybeApplied: false,
    })
    await store.close()
  })

  it('never takes a missing bucket for a missing object', async () => {
    const store = storeOn(cloud)
    cloud.faults.add({
      match: { verb: 'HeadObject' },
      times: 1,
      effect: { kind: 'answer', status: 404, code: 'NoSuchBucket' },
    })
    await failureOf(store.headObject('uploads/none'))
    await store.close()
  })

  it('never shows the caller a key, a signature or what OSS said', async () => {
    const store = storeOn(cloud)
    cloud.faults.add({
      match: { verb: 'HeadObject' },
      effect: { kind: 'answer', status: 403, code: 'SignatureDoesNotMatch' },
    })
    const { detail, cause } = await failureOf(store.headObject('uploads/none'))
    expect(detail).toBe('Object storage refused the server’s credentials or rights.')
    expect(`${detail} ${String(cause)}`).not.toMatch(/LTAI|Signature=|Credential=/)
    cloud.faults.clear()
    await store.close()
  })
})
