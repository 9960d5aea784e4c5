import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { explainOssError } from '../../server/cli/doctor/explain-oss-error.ts'
import type { Check } from '../../server/cli/doctor/finding.ts'
import { checkRole } from '../../server/cli/doctor/role-check.ts'
import { judgeVersioning } from '../../server/cli/doctor/versioning-check.ts'
import { checkWebhook } from '../../server/cli/doctor/webhook-check.ts'
import { checkEverything, type DoctorOptions } from '../../server/cli/doctor-checks.ts'
import type { Config } from '../../server/config.ts'
import { LOCAL_ROLE_ARN, localServerUser } from '../../server/local-identities.ts'
import { createBucketSettings } from '../../server/oss/bucket-settings.ts'
import { staticCredentials } from '../../server/oss/credential-source.ts'
import { serverPolicy, uploaderRolePolicy } from '../../server/ram-policies.ts'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts'
import { ROOT_KEY, TEST_BUCKET } from '../support/local-cloud.ts'
import { runPartway } from '../support/partway-process.ts'

let app: TestApp
afterEach(() => app.close())

const places = { bucket: TEST_BUCKET, keyPrefix: 'uploads/' }
const role = {
  arn: LOCAL_ROLE_ARN,
  policy: JSON.stringify(uploaderRolePolicy(places)),
  trusted: [localServerUser.userName],
}

/** The server's user without some rights. */
function without(...actions: string[]) {
  const { Statement, Version } = serverPolicy({ ...places, roleArn: LOCAL_ROLE_ARN, directPrefix: 'direct/' })
  const left = Statement.map((statement) => ({
    ...statement,
    Action: statement.Action.filter((one) => !actions.includes(one)),
  }))
  return {
    users: [
      {
        ...localServerUser,
        policy: JSON.stringify({ Version, Statement: left.filter((one) => one.Action.length > 0) }),
      },
    ],
  }
}

async function examine(
  options: TestAppOptions & { config?: (config: Config) => Config } = {},
  how: DoctorOptions = {},
) {
  app = await startTestApp(options)
  return byName(await checkEverything(app.deps.config, how))
}

function byName(checks: Check[]): Record<string, Check> {
  return Object.fromEntries(checks.map((check) => [check.name, check]))
}

const statuses = (checks: Record<string, Check>) => Object.values(checks).map(({ name, status }) => `${name} ${status}`)

function owner() {
  return createBucketSettings({
    ...app.deps.config.oss,
    credentials: staticCredentials(ROOT_KEY),
    now: () => new Date(),
  })
}

describe('the doctor', () => {
  it('finds nothing wrong with the server as it is, and leaves nothing behind', async () => {
    const checks = await examine({}, { isLive: true })
    expect(statuses(checks)).toEqual([
      'database ok',
      'storage ok',
      'public endpoint ok',
      'bucket CORS ok',
      'bucket lifecycle ok',
      'overwriting ok',
      'clock ok',
      'vended credentials ok',
      'tokens ok',
      'live: start ok',
      'live: part ok',
      'live: wrong length ok',
      'live: wrong MD5 ok',
      'live: stored ok',
      'live: abort ok',
    ])
    const { count } = app.cloud.requests
    expect(count('AbortMultipartUpload')).toBeGreaterThanOrEqual(count('InitiateMultipartUpload'))
    expect(count('CompleteMultipartUpload')).toBe(0)
  })

  it('names every right the server lacks, not only the first', async () => {
    const lacking = [
      'oss:ListMultipartUploads',
      'oss:ListParts',
      'oss:GetObject',
      'oss:DeleteObject',
      'oss:AbortMultipartUpload',
    ]
    const { storage } = await examine({ cloud: without(...lacking) })
    expect(storage?.status).toBe('failed')
    for (const right of lacking) expect(storage?.detail).toContain(right)
    expect(storage?.detail).not.toContain('oss:PutObject')
  })

  it('goes on without the rights to look at the bucket’s settings, and says what that costs', async () => {
    const checks = await examine({ cloud: without('oss:GetBucketLifecycle', 'oss:GetBucketInfo') })
    expect(checks.storage).toMatchObject({ status: 'ok', detail: expect.stringContaining('nobody is warned') })
    expect(checks['bucket lifecycle']).toMatchObject({
      status: 'skipped',
      detail: expect.stringContaining('oss:GetBucketLifecycle'),
    })
    expect(checks.overwriting).toMatchObject({
      status: 'skipped',
      detail: expect.stringContaining('oss:GetBucketInfo'),
    })
  })

  it('goes on without rights on direct uploads, and says what that costs', async () => {
    const policy = JSON.stringify(serverPolicy({ ...places, roleArn: LOCAL_ROLE_ARN }))
    const { storage } = await examine({ cloud: { users: [{ ...localServerUser, policy }] } })
    expect(storage?.status).toBe('ok')
    expect(storage?.detail).toMatch(/oss:ListParts and oss:AbortMultipartUpload on direct\/\* .*orphans$/)
  })

  it.each<[string, Partial<Config['oss']>, string]>([
    ['the bucket is another’s or none', { bucket: 'no-such-bucket' }, 'There is no bucket no-such-bucket here'],
    ['the region is wrong', { region: 'cn-shanghai' }, 'OSS_REGION cn-shanghai is not the region of the endpoint'],
    [
      'the key is unknown',
      { credentials: { accessKeyId: 'LTAI-nobody', accessKeySecret: 'x' } },
      'does not know this access key',
    ],
    [
      'the secret is wrong',
      { credentials: { ...localServerUser, accessKeySecret: 'wrong' } },
      'the access key secret may be wrong',
    ],
  ])('says what to do when %s', async (_, oss, words) => {
    const everything = { Effect: 'Allow' as const, Action: 'oss:*', Resource: '*' }
    const { storage } = await examine({
      cloud: { users: [{ ...localServerUser, policy: { Version: '1', Statement: [everything] } }] },
      config: (config) => ({ ...config, oss: { ...config.oss, ...oss } }),
    })
    expect(storage).toMatchObject({ status: 'failed', detail: expect.stringContaining(words) })
  })

  it('sees a path in the address where OSS takes none, and an endpoint that is closed to this account', async () => {
    const paths = await examine({ cloud: { forbidPathStyle: true } })
    expect(paths.storage?.detail).toContain('OSS_ADDRESSING')
    await app.close()
    app = await startTestApp()
    app.cloud.faults.add({
      match: { verb: 'UploadPart' },
      effect: { kind: 'answer', status: 400, code: 'PublicEndpointForbidden' },
    })
    const closed = byName(await checkEverything(app.deps.config))
    expect(closed['public endpoint']).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('OSS_PUBLIC_ENDPOINT'),
    })
  })

  it('sees that nobody answers at the public endpoint', async () => {
    const config = (given: Config): Config => ({
      ...given,
      oss: { ...given.oss, publicEndpoint: 'http://127.0.0.1:1' },
    })
    const checks = await examine({ config })
    expect(checks['public endpoint']).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('http://127.0.0.1:1 cannot be reached'),
    })
    expect(checks.storage?.status).toBe('ok')
  })

  it('sees a clock that is off', async () => {
    app = await startTestApp()
    app.cloud.faults.add({ effect: { kind: 'clock', offsetMs: 3_600_000 } })
    const checks = byName(await checkEverything(app.deps.config))
    expect(checks.clock).toMatchObject({ status: 'failed', detail: expect.stringMatching(/-3(599|600|601) s off/) })
    expect(checks.storage?.detail).toContain("This machine's clock")
  })

  it.each<[string, TestAppOptions['cloud'], string]>([
    ['does not trust the server', { roles: [{ ...role, trusted: ['somebody-else'] }] }, 'the role must trust it'],
    ['may not be assumed by the server', without('sts:AssumeRole'), 'sts:AssumeRole'],
    ['is not there', { roles: [] }, 'there is no role'],
    ['lacks a right', { roles: [{ ...role, policy: roleWithout('oss:ListParts') }] }, 'lacks oss:ListParts'],
  ])('sees a role that %s', async (_, cloud, words) => {
    const checks = await examine({ ...(cloud ? { cloud } : {}) })
    expect(checks['vended credentials']).toMatchObject({ status: 'failed', detail: expect.stringContaining(words) })
    expect(statuses(checks).filter((line) => line.endsWith('failed'))).toEqual(['vended credentials failed'])
  })

  it('sees vended credentials that reach further than their object', async () => {
    app = await startTestApp()
    const expiresAt = new Date(Date.now() + 900_000)
    const sts = {
      assumeRole: async () => ({ ...ROOT_KEY, securityToken: '', expiresAt, requestId: 'x' }),
      close: async () => {},
    }
    expect(await checkRole(app.deps.config, sts)).toMatchObject({
      status: 'failed',
      detail: expect.stringMatching(
        /a neighbour, a shorter key, a key that ends like it, reading the object, the uploads of the bucket/,
      ),
    })
  })

  it('needs no role where none is set', async () => {
    const config = (given: Config): Config => ({ ...given, sts: { ...given.sts, roleArn: null } })
    expect((await examine({ config }))['vended credentials']?.status).toBe('skipped')
  })

  it('sees an OSS that keeps none of its promises about parts', async () => {
    app = await startTestApp()
    app.cloud.faults.add({
      match: { verb: 'UploadPart', partNumber: 2 },
      effect: { kind: 'answer', status: 500, code: 'InternalError' },
    })
    app.cloud.faults.add({
      match: { verb: 'UploadPart', partNumber: 1 },
      after: 1,
      effect: { kind: 'corrupt', what: 'received' },
    })
    const checks = byName(await checkEverything(app.deps.config, { isLive: true }))
    expect(checks['live: wrong length']).toMatchObject({ status: 'failed', detail: expect.stringContaining('500') })
    expect(checks['live: abort']?.status).toBe('ok')
  })

  it('says where lengths are not bound because the operator wants it so', async () => {
    const checks = await examine({ environment: { SIGN_CONTENT_LENGTH: 'false' } }, { isLive: true })
    expect(checks['live: wrong length']).toMatchObject({
      status: 'skipped',
      detail: expect.stringContaining('SIGN_CONTENT_LENGTH'),
    })
  })
})

describe('partway doctor', () => {
  const environment = {
    OSS_BUCKET: 'b-b',
    OSS_ENDPOINT: 'http://127.0.0.1:1',
    DATABASE_URL: 'postgres://somebody:database-canary@127.0.0.1:1/x',
    JWT_SECRET: 'jwt-canary-of-at-least-32-bytes-xxxxxxx',
    ALIBABA_CLOUD_ACCESS_KEY_ID: 'LTAI-x',
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'key-canary',
  }

  it('ends with 1 when something is wrong, in words or as one JSON object, and tells no secret', async () => {
    app = await startTestApp()
    const [words, json] = [runPartway(['doctor'], environment), runPartway(['doctor', '--json'], environment)]
    expect(await Promise.all([words.ended, json.ended])).toEqual([1, 1])
    expect(words.stdout()).toMatch(/^FAIL {2}storage: /m)
    const { ok, checks } = JSON.parse(json.stdout())
    expect(ok).toBe(false)
    expect(checks).toContainEqual(expect.objectContaining({ name: 'storage', status: 'failed' }))
    expect([words, json].map((one) => one.stdout() + one.stderr()).join('')).not.toContain('canary')
  })

  it('ends with 2 when a variable is wrong, and looks at nothing', async () => {
    app = await startTestApp()
    const run = runPartway(['doctor', '--json'], { ...environment, OSS_REGION: 'oss-cn-hangzhou' })
    expect(await run.ended).toBe(2)
    expect(JSON.parse(run.stdout()).checks).toMatchObject([{ name: 'configuration', status: 'failed' }])
  })
})

describe('doctor --fix', () => {
  const theirs = {
    lifecycle:
      '<Rule><ID>theirs</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>',
    cors: '<CORSRule><AllowedOrigin>https://theirs.test</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>',
  }

  async function setTheirs(lifecycle = theirs.lifecycle) {
    const settings = owner()
    await settings.writeLifecycle(`<LifecycleConfiguration>${lifecycle}</LifecycleConfiguration>`)
    await settings.writeCors(`<CORSConfiguration>${theirs.cors}</CORSConfiguration>`)
    await settings.close()
  }

  it('adds the rules that are missing and loses none, so that everything is well at once', async () => {
    app = await startTestApp({ environment: { CORS_ORIGINS: 'https://app.example.com' } })
    await setTheirs()
    const before = byName(await checkEverything(app.deps.config))
    expect(before['bucket lifecycle']).toMatchObject({ status: 'failed', detail: expect.stringContaining('--fix') })
    expect(before['bucket CORS']?.status).toBe('failed')
    const fixed = byName(await checkEverything(app.deps.config, { isFixing: true }))
    expect(statuses(fixed).filter((line) => !line.endsWith(' ok'))).toEqual([])
    expect(Object.keys(fixed).slice(0, 2)).toEqual(['fix: lifecycle', 'fix: CORS'])
    const settings = owner()
    expect(await settings.readLifecycle()).toContain(theirs.lifecycle)
    expect(await settings.readCors()).toContain('https://theirs.test')
    const [lifecycle, cors] = [await settings.readLifecycle(), await settings.readCors()]
    // Again: there is nothing left to do.
    expect(Object.keys(byName(await checkEverything(app.deps.config, { isFixing: true })))).not.toContain('fix: CORS')
    expect([await settings.readLifecycle(), await settings.readCors()]).toEqual([lifecycle, cors])
    await settings.close()
  })

  it('adds the rule for direct uploads alone where that alone is missing', async () => {
    app = await startTestApp()
    await setTheirs(
      '<Rule><ID>theirs</ID><Prefix>uploads/</Prefix><Status>Enabled</Status><AbortMultipartUpload><Days>9</Days></AbortMultipartUpload></Rule>',
    )
    const before = byName(await checkEverything(app.deps.config))['bucket lifecycle']
    expect(before).toMatchObject({ status: 'failed', detail: expect.stringContaining('under direct/') })
    expect(before?.detail).not.toContain('under uploads/')
    const fixed = byName(await checkEverything(app.deps.config, { isFixing: true }))['bucket lifecycle']
    expect(fixed).toMatchObject({
      status: 'ok',
      detail: expect.stringMatching(/"theirs".*"partway-abort-forgotten-direct-uploads"/),
    })
  })

  it('leaves a rule that is not Partway’s, and says so', async () => {
    app = await startTestApp()
    const tooShort =
      '<Rule><ID>theirs</ID><Prefix></Prefix><Status>Enabled</Status><AbortMultipartUpload><Days>1</Days></AbortMultipartUpload></Rule>'
    await setTheirs(tooShort)
    const checks = byName(await checkEverything(app.deps.config, { isFixing: true }))
    expect(checks['fix: lifecycle']).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('not Partway’s'),
    })
    expect(checks['bucket lifecycle']).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('after 1 days'),
    })
  })

  it('says which rights it takes when these credentials have not got them', async () => {
    app = await startTestApp({ cloud: without('oss:PutBucketLifecycle') })
    await setTheirs()
    const { localCloud } = app.deps.config
    if (!localCloud) throw new Error('a test app runs on the local cloud')
    // As on a real bucket: with the server's own key.
    const { accessKeyId: rootAccessKeyId, accessKeySecret: rootAccessKeySecret } = localServerUser
    const config = { ...app.deps.config, localCloud: { ...localCloud, rootAccessKeyId, rootAccessKeySecret } }
    const checks = byName(await checkEverything(config, { isFixing: true }))
    expect(checks['fix: lifecycle']).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('oss:PutBucketLifecycle'),
    })
    expect(checks['fix: CORS']).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('oss:PutBucketCors'),
    })
  })
})

describe('what the doctor says', () => {
  it('of versions: FORBID_OVERWRITE means nothing on a versioned bucket', async () => {
    app = await startTestApp()
    expect(judgeVersioning({ versioning: 'Enabled' }, true)).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('FORBID_OVERWRITE'),
    })
    expect(judgeVersioning({ versioning: 'Suspended' }, true).status).toBe('failed')
    expect(judgeVersioning({ versioning: 'Enabled' }, false).status).toBe('ok')
    expect(judgeVersioning({ versioning: null }, true).status).toBe('ok')
    const server = createServer((_request, response) => {
      response.setHeader('content-type', 'application/xml')
      response.end(
        '<BucketInfo><Bucket><Location>oss-cn-hangzhou</Location><Versioning>Enabled</Versioning></Bucket></BucketInfo>',
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const settings = createBucketSettings({
      ...app.deps.config.oss,
      endpoint,
      credentials: staticCredentials(ROOT_KEY),
      now: () => new Date(),
    })
    expect(await settings.readInfo()).toEqual({ versioning: 'Enabled', location: 'oss-cn-hangzhou' })
    await settings.close()
    server.close()
  })

  it('of errors: what to do, and nothing where there is nothing to be said', async () => {
    app = await startTestApp()
    const { config } = app.deps
    expect(explainOssError({ code: 'AccessDenied', endpoint: 'oss-cn-beijing.aliyuncs.com' }, config)).toContain(
      'oss-cn-beijing.aliyuncs.com',
    )
    expect(explainOssError({ code: 'AccessDenied' }, config)).toBeNull()
    expect(explainOssError({ code: 'InternalError' }, config)).toBeNull()
    expect(explainOssError({ code: 'constructor' }, config)).toBeNull()
  })
})

function roleWithout(action: string): string {
  const { Version, Statement } = uploaderRolePolicy(places)
  return JSON.stringify({
    Version,
    Statement: Statement.map((one) => ({ ...one, Action: one.Action.filter((name) => name !== action) })),
  })
}

describe('the webhook', () => {
  const webhook = (url: string, allowPrivate = false) => ({ url, secret: 'unused', allowPrivate })

  it('is looked at where one is configured: whether events could be sent there, and nothing else of its URL', async () => {
    const checks = await examine({
      environment: {
        WEBHOOK_URL: 'http://127.0.0.1:9/?token=of-a-webhook-in-a-test',
        WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 3).toString('base64')}`,
      },
    })
    expect(checks.webhook).toEqual({
      name: 'webhook',
      status: 'failed',
      detail:
        '127.0.0.1 leads to 127.0.0.1, which is not public: no event is sent there, unless WEBHOOK_ALLOW_PRIVATE=true',
    })
    const resolve = async () => [{ address: '8.8.8.8', family: 4 }]
    expect(await checkWebhook(webhook('https://hook.example/a?b'), resolve)).toEqual({
      status: 'ok',
      detail: 'events are sent to hook.example, at public 8.8.8.8',
    })
    expect((await checkWebhook(webhook('http://127.0.0.1/', true))).status).toBe('ok')
    const failing = async () => Promise.reject(new Error('getaddrinfo ENOTFOUND hook.example'))
    await expect(checkWebhook(webhook('https://hook.example/'), failing)).rejects.toThrow(
      'hook.example cannot be resolved.',
    )
  })
})
