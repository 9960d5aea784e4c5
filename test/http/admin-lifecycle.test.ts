import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Deps } from '../../server/deps.ts'
import { LOCAL_ROLE_ARN, localServerUser } from '../../server/local-identities.ts'
import { type BucketSettings, createBucketSettings } from '../../server/oss/bucket-settings.ts'
import { staticCredentials } from '../../server/oss/credential-source.ts'
import { OWN_DIRECT_RULE_ID, OWN_RULE_ID } from '../../server/oss/lifecycle-rules.ts'
import { serverPolicy } from '../../server/ram-policies.ts'
import { type Api, createApi } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { ROOT_KEY, TEST_BUCKET } from '../support/local-cloud.ts'

let app: TestApp
let operator: Api
let owner: BucketSettings
beforeAll(async () => {
  app = await startTestApp()
  operator = operatorOf(app)
  owner = createBucketSettings({
    ...app.deps.config.oss,
    credentials: staticCredentials(ROOT_KEY),
    now: () => new Date(),
  })
})
afterAll(async () => {
  await owner.close()
  await app.close()
})
beforeEach(() => app.cloud.faults.clear())

const operatorOf = (on: TestApp) => createApi(on.url, on.token({ subject: 'op', tenant: '*', scopes: ['admin'] }))
const document = (...rules: string[]) => `<LifecycleConfiguration>${rules.join('')}</LifecycleConfiguration>`
const abort = (id: string, prefix: string, days: number) =>
  `<Rule><ID>${id}</ID><Prefix>${prefix}</Prefix><Status>Enabled</Status><AbortMultipartUpload><Days>${days}</Days></AbortMultipartUpload></Rule>`
const logs =
  '<Rule><ID>logs</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>'

describe('the lifecycle of the bucket, for an operator', () => {
  it('is well in the local cloud, and told with its rules', async () => {
    const { status, body } = await operator('getLifecycle')
    expect(status).toBe(200)
    expect(body).toEqual({
      verdicts: ['uploads/', 'direct/'].map((prefix) => ({
        prefix,
        verdict: 'covered',
        complaint: null,
        canBeMerged: false,
      })),
      rules: [
        { id: OWN_RULE_ID, prefix: 'uploads/', isEnabled: true, days: 9, isOwn: true },
        { id: OWN_DIRECT_RULE_ID, prefix: 'direct/', isEnabled: true, days: 9, isOwn: true },
      ],
      isChanged: false,
    })
    const before = app.cloud.requests.count('PutBucketLifecycle')
    expect((await operator('mergeLifecycle')).body).toEqual(body)
    expect(app.cloud.requests.count('PutBucketLifecycle')).toBe(before)
  })

  it('gets what it lacks beside what it has, and says what is there afterwards', async () => {
    await owner.writeLifecycle(document(logs, abort('theirs', 'videos/', 1)))
    const lacking = (await operator('getLifecycle')).body
    expect(lacking.verdicts).toMatchObject([
      { prefix: 'uploads/', verdict: 'missing', complaint: expect.stringContaining('uploads/'), canBeMerged: true },
      { prefix: 'direct/', verdict: 'missing', complaint: expect.stringContaining('direct/'), canBeMerged: true },
    ])
    expect(lacking.rules).toEqual([{ id: 'theirs', prefix: 'videos/', isEnabled: true, days: 1, isOwn: false }])
    const mended = (await operator('mergeLifecycle')).body
    expect(mended.isChanged).toBe(true)
    expect(mended.verdicts.map(({ verdict }: { verdict: string }) => verdict)).toEqual(['covered', 'covered'])
    expect(mended.rules.map(({ id }: { id: string }) => id)).toEqual(['theirs', OWN_RULE_ID, OWN_DIRECT_RULE_ID])
    const xml = await owner.readLifecycle()
    expect(xml).toContain(logs)
    expect(xml).toContain(abort('theirs', 'videos/', 1))
    expect((await operator('mergeLifecycle')).body).toEqual({ ...mended, isChanged: false })
    expect(await owner.readLifecycle()).toBe(xml)
  })

  it.each([
    ['a rule of somebody else’s is in the way', document(logs, abort('theirs', 'uploads/acme/', 3))],
    ['a rule of somebody else’s is too short', document(abort('theirs', 'uploads/', 3))],
  ])('is left as it is, both rules, when %s, and told why', async (_, xml) => {
    await owner.writeLifecycle(xml)
    const before = await owner.readLifecycle()
    const { status, body } = await operator('mergeLifecycle')
    expect([status, body.isChanged]).toEqual([200, false])
    expect(body.verdicts[0]).toMatchObject({
      canBeMerged: false,
      complaint: expect.stringMatching(/"theirs".* Nothing can be added/),
    })
    expect(body.verdicts[1]).toMatchObject({ verdict: 'missing', canBeMerged: false })
    expect(await owner.readLifecycle()).toBe(before)
    expect((await operator('getLifecycle')).body).toEqual(body)
  })

  it('keeps a rule that somebody adds meanwhile, on either side of the reading', async () => {
    await owner.writeLifecycle(document(logs))
    let reads = 0
    const { bucketSettings } = app.deps
    const meanwhile: Deps['bucketSettings'] = {
      ...bucketSettings,
      async readLifecycle() {
        const xml = await bucketSettings.readLifecycle()
        if (++reads === 1) await owner.writeLifecycle(document(logs, abort('new', 'videos/', 2)))
        return xml
      },
      close: async () => {},
    }
    const slow = await startTestApp({ beside: app, deps: { bucketSettings: meanwhile } })
    try {
      expect((await operatorOf(slow)('mergeLifecycle')).body.isChanged).toBe(true)
      expect(await owner.readLifecycle()).toContain(abort('new', 'videos/', 2))
    } finally {
      await slow.close()
    }
  })

  it('is not written while somebody else keeps changing it', async () => {
    let days = 1
    const { bucketSettings } = app.deps
    const restless: Deps['bucketSettings'] = {
      ...bucketSettings,
      readLifecycle: async () => document(abort('busy', 'videos/', days++)),
      writeLifecycle: async () => {
        throw new Error('written')
      },
      close: async () => {},
    }
    const slow = await startTestApp({ beside: app, deps: { bucketSettings: restless } })
    try {
      const { status, body } = await operatorOf(slow)('mergeLifecycle')
      expect([status, body.code]).toEqual([503, 'storage-unavailable'])
    } finally {
      await slow.close()
    }
  })

  it('is mended by two at once as by one', async () => {
    await owner.writeLifecycle(document(logs))
    const replies = await Promise.all([operator('mergeLifecycle'), operator('mergeLifecycle')])
    expect(replies.map(({ status }) => status)).toEqual([200, 200])
    const rules = (await operator('getLifecycle')).body.rules
    expect(rules.map(({ id }: { id: string }) => id)).toEqual([OWN_RULE_ID, OWN_DIRECT_RULE_ID])
  })

  it('is a 503 when OSS gives no answer, or none that is a lifecycle', async () => {
    app.cloud.faults.add({ match: { verb: 'GetBucketLifecycle' }, effect: { kind: 'cut', at: 'start' } })
    for (const name of ['getLifecycle', 'mergeLifecycle'] as const) {
      expect((await operator(name)).body.code).toBe('storage-unavailable')
    }
    app.cloud.faults.clear()
    app.cloud.faults.add({ match: { verb: 'GetBucketLifecycle' }, effect: { kind: 'empty-body' } })
    for (const name of ['getLifecycle', 'mergeLifecycle'] as const) {
      expect((await operator(name)).body.code).toBe('storage-unavailable')
    }
  })

  it('is not an administrator’s of one tenant', async () => {
    const admin = createApi(app.url, app.token({ tenant: 'acme', scopes: ['admin'] }))
    const before = app.cloud.requests.count('GetBucketLifecycle')
    for (const name of ['getLifecycle', 'mergeLifecycle'] as const) {
      const { status, body } = await admin(name)
      expect([status, body.code]).toEqual([403, 'forbidden'])
    }
    expect(app.cloud.requests.count('GetBucketLifecycle')).toBe(before)
  })
})

describe('without a right of its own, the server', () => {
  it.each([
    ['oss:GetBucketLifecycle', 'getLifecycle'],
    ['oss:PutBucketLifecycle', 'mergeLifecycle'],
  ] as const)('names %s, and asks nobody to try again', async (action, name) => {
    const { Version, Statement } = serverPolicy({
      bucket: TEST_BUCKET,
      keyPrefix: 'uploads/',
      roleArn: LOCAL_ROLE_ARN,
      directPrefix: 'direct/',
    })
    const less = Statement.map((one) => ({ ...one, Action: one.Action.filter((other) => other !== action) }))
    const policy = JSON.stringify({ Version, Statement: less.filter((one) => one.Action.length > 0) })
    const poor = await startTestApp({ cloud: { lifecycle: document(logs), users: [{ ...localServerUser, policy }] } })
    try {
      const reply = await operatorOf(poor)(name)
      expect([reply.status, reply.body.code, reply.headers.get('retry-after')]).toEqual([403, 'forbidden', null])
      expect(reply.body.detail).toContain(action)
    } finally {
      await poor.close()
    }
  })
})
