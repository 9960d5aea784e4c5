import { type Endpoint, type EndpointName, endpoints, type ProblemCode, type Upload } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { problemsOf } from '../../server/http/openapi.ts'
import { send } from '../local-cloud/send.ts'
import { type Api, type ApiReply, createApi, createFor, MiB, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

/* Vended credentials over HTTP: what they are, who gets them, what is written down, and what each refusal says. */

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())
afterEach(() => {
  app.cloud.faults.clear()
  app.cloud.requests.reset()
})

const all = ['uploads', 'credentials', 'credentials:direct'] as const
let lastSubject = 0
/** Nobody has asked for anything in this one's name before, so nothing of it is remembered. */
function newcomer(claims: Parameters<TestApp['token']>[0] = {}, on: TestApp = app): Api & { subject: string } {
  const subject = claims.subject ?? `subject-${++lastSubject}`
  return Object.assign(createApi(on.url, on.token({ scopes: all, subject, tenant: 'acme', ...claims })), { subject })
}
const create = (api: Api, sizeBytes = MiB + 1) => createFor(api, someBytes(sizeBytes))
const sql = () => app.deps.db.prisma
const signerOf = ({ body }: ApiReply) => ({
  accessKeyId: body.accessKeyId as string,
  accessKeySecret: body.accessKeySecret as string,
  securityToken: body.securityToken as string,
})

function expectCode(reply: ApiReply, name: EndpointName, code: ProblemCode): void {
  expect([reply.status, reply.body.code]).toEqual([expect.any(Number), code])
  expect(reply.body.status).toBe(reply.status)
  expect(problemsOf(endpoints[name] as Endpoint)).toContain(code)
}

describe('credentials for an upload', () => {
  it('carry what a client needs to send parts by itself, and send them', async () => {
    const api = newcomer()
    const upload = await create(api)
    const reply = await api('grantCredentials', { id: upload.id })
    expect(reply.status).toBe(200)
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect(reply.body).toEqual({
      accessKeyId: expect.stringMatching(/^STS\./),
      accessKeySecret: expect.any(String),
      securityToken: expect.any(String),
      expiresAt: expect.stringMatching(/Z$/),
      bucket: upload.bucket,
      region: upload.region,
      endpoint: app.cloud.ossUrl,
      addressing: 'path',
      key: upload.key,
      uploadId: upload.uploadId,
    })
    const leftSeconds = (Date.parse(reply.body.expiresAt) - Date.now()) / 1000
    expect(leftSeconds).toBeGreaterThan(890)
    expect(leftSeconds).toBeLessThanOrEqual(900)
    const parts = [someBytes(MiB), someBytes(1)]
    for (const [index, body] of parts.entries()) {
      const query = { partNumber: String(index + 1), uploadId: upload.uploadId ?? '' }
      const put = await send(app.cloud.ossUrl, {
        method: 'PUT',
        key: upload.key,
        query,
        body,
        credentials: signerOf(reply),
      })
      expect(put.status).toBe(200)
    }
    expect((await api('completeUpload', { id: upload.id, body: {} })).status).toBe(200)
  })

  it('are written down before they leave: who, for what, how long, in which request; and nothing secret', async () => {
    const api = newcomer({ tenant: 'acme gmbh' })
    const upload = await create(api)
    const { body } = await api('grantCredentials', { id: upload.id, headers: { 'x-request-id': 'request-of-mine' } })
    const rows = await sql().credentialGrant.findMany({ where: { uploadId: upload.id } })
    expect(rows).toEqual([
      {
        id: expect.any(BigInt),
        kind: 'upload',
        tenant: 'acme gmbh',
        subject: api.subject,
        uploadId: upload.id,
        resource: `${upload.bucket}/${upload.key}`,
        sessionName: expect.stringMatching(new RegExp(`^@[0-9a-f]{30}@${api.subject}$`)),
        ttlSeconds: expect.any(Number),
        expiresAt: new Date(body.expiresAt),
        requestId: 'request-of-mine',
        stsRequestId: expect.stringMatching(/^[0-9A-F-]{36}$/),
        createdAt: expect.any(Date),
      },
    ])
    expect(rows[0]?.ttlSeconds).toBeGreaterThan(880)
    const text = JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? String(value) : value))
    for (const secret of [body.accessKeyId, body.accessKeySecret, body.securityToken])
      expect(text).not.toContain(secret)
  })

  it('do not leave when they cannot be written down', async () => {
    const api = newcomer()
    const upload = await create(api)
    await sql().$executeRawUnsafe(
      `ALTER TABLE credential_grants ADD CONSTRAINT full_disk CHECK (subject <> '${api.subject}')`,
    )
    try {
      const reply = await api('grantCredentials', { id: upload.id })
      expect([reply.status, reply.body.code]).toEqual([500, 'internal'])
      expect(JSON.stringify(reply.body)).not.toContain('STS.')
      expect((await api('grantDirectCredentials')).status).toBe(500)
    } finally {
      await sql().$executeRawUnsafe('ALTER TABLE credential_grants DROP CONSTRAINT full_disk')
    }
  })

  it('asked for again cost no AssumeRole, and another audit row', async () => {
    const api = newcomer()
    const upload = await create(api)
    const replies = await Promise.all(Array.from({ length: 50 }, () => api('grantCredentials', { id: upload.id })))
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(replies.map(({ body }) => body.securityToken)).size).toBe(1)
    expect(app.cloud.requests.count('AssumeRole')).toBe(1)
    expect(await sql().credentialGrant.count({ where: { uploadId: upload.id } })).toBe(50)
  })

  it('asked for by 1,000 callers at once cost one AssumeRole on each server', async () => {
    const others = await startTestApp({ beside: app })
    try {
      const api = newcomer({ subject: 'crowd' })
      const there = newcomer({ subject: 'crowd' }, others)
      const upload = await create(api)
      const ask = (number: number) => (number % 2 ? api : there)('grantCredentials', { id: upload.id })
      const replies = await Promise.all(Array.from({ length: 1000 }, (_, number) => ask(number)))
      expect(replies.filter(({ status }) => status !== 200).map(({ body }) => body)).toEqual([])
      expect(new Set(replies.map(({ body }) => body.securityToken)).size).toBe(2)
      expect(app.cloud.requests.count('AssumeRole')).toBe(2)
      expect(await sql().credentialGrant.count({ where: { uploadId: upload.id } })).toBe(1000)
    } finally {
      await others.close()
    }
  })

  it('of a colleague carry his own name, and are his own', async () => {
    const owner = newcomer()
    const upload = await create(owner)
    const lead = newcomer({ scopes: ['uploads:tenant', 'credentials'] })
    const [one, two] = [
      await owner('grantCredentials', { id: upload.id }),
      await lead('grantCredentials', { id: upload.id }),
    ]
    expect([one.status, two.status]).toEqual([200, 200])
    expect(one.body.accessKeyId).not.toBe(two.body.accessKeyId)
    const rows = await sql().credentialGrant.findMany({ where: { uploadId: upload.id }, orderBy: { id: 'asc' } })
    expect(rows.map(({ subject }) => subject)).toEqual([owner.subject, lead.subject])
  })

  it('keep the sweep away until they are dead, by a margin for the time it takes to make them', async () => {
    const api = newcomer()
    const upload = await create(api)
    const { body } = await api('grantCredentials', { id: upload.id })
    const row = await sql().upload.findUniqueOrThrow({ where: { id: upload.id } })
    expect(row.credentialsAliveUntil).toEqual(new Date(body.expiresAt))
    expect(row.grantsAliveUntil?.getTime()).toBeGreaterThanOrEqual(Date.parse(body.expiresAt))
  })

  it('keep the sweep away already while they are made, for as long as they can live', async () => {
    const api = newcomer()
    const upload = await create(api)
    app.cloud.faults.add({ match: { verb: 'AssumeRole' }, effect: { kind: 'delay', delayMs: 300, at: 'reply' } })
    const asked = api('grantCredentials', { id: upload.id })
    await expect.poll(() => app.cloud.requests.count('AssumeRole')).toBe(1)
    const row = await sql().upload.findUniqueOrThrow({ where: { id: upload.id } })
    expect(row.credentialsAliveUntil).toBeNull()
    const { body } = await asked
    expect(row.grantsAliveUntil?.getTime()).toBeGreaterThanOrEqual(Date.parse(body.expiresAt))
  })

  it('are not handed out when the upload was completed or given up while they were made', async () => {
    const api = newcomer()
    const upload = await create(api)
    app.cloud.faults.add({ match: { verb: 'AssumeRole' }, effect: { kind: 'delay', delayMs: 300, at: 'reply' } })
    const asked = api('grantCredentials', { id: upload.id })
    await expect.poll(() => app.cloud.requests.count('AssumeRole')).toBe(1)
    expect((await api('abortUpload', { id: upload.id })).status).toBe(200)
    expectCode(await asked, 'grantCredentials', 'upload-gone')
    expect(await sql().credentialGrant.count({ where: { uploadId: upload.id } })).toBe(0)
  })

  it('are refused for an empty file, an upload past its life, and a body', async () => {
    const api = newcomer()
    const empty = await create(api, 0)
    expectCode(await api('grantCredentials', { id: empty.id }), 'grantCredentials', 'invalid-request')
    const old = await create(api)
    await sql().$executeRaw`UPDATE uploads SET created_at = now() - interval '8 days' WHERE id = ${old.id}`
    expectCode(await api('grantCredentials', { id: old.id }), 'grantCredentials', 'upload-expired')
    expectCode(await api('grantCredentials', { id: old.id, body: {} }), 'grantCredentials', 'invalid-request')
    expect(app.cloud.requests.count('AssumeRole')).toBe(0)
  })

  it('need the scope credentials, and a bearer token', async () => {
    const upload = await create(newcomer({ subject: 'scoped' }))
    const without = newcomer({ subject: 'scoped', scopes: ['uploads', 'credentials:direct', 'admin'] })
    expectCode(await without('grantCredentials', { id: upload.id }), 'grantCredentials', 'forbidden')
    expectCode(
      await createApi(app.url, 'nonsense')('grantCredentials', { id: upload.id }),
      'grantCredentials',
      'unauthenticated',
    )
    const stranger = newcomer({ tenant: 'other' })
    expectCode(await stranger('grantCredentials', { id: upload.id }), 'grantCredentials', 'upload-not-found')
    expectCode(await stranger('grantCredentials', { id: 'upl_x' }), 'grantCredentials', 'upload-not-found')
  })
})

describe('direct credentials', () => {
  it('are for the caller’s folder outside of KEY_PREFIX, and for nobody else’s', async () => {
    const api = newcomer({ subject: 'bob' })
    const reply = await api('grantDirectCredentials')
    expect(reply.status).toBe(200)
    expect(reply.body).toEqual({
      accessKeyId: expect.stringMatching(/^STS\./),
      accessKeySecret: expect.any(String),
      securityToken: expect.any(String),
      expiresAt: expect.any(String),
      bucket: 'partway-local',
      region: 'cn-hangzhou',
      endpoint: app.cloud.ossUrl,
      addressing: 'path',
      prefix: 'direct/acme/bob/',
    })
    const put = async (key: string) =>
      (await send(app.cloud.ossUrl, { method: 'PUT', key, body: 'x', credentials: signerOf(reply) })).status
    expect(await put('direct/acme/bob/a/b.bin')).toBe(200)
    for (const key of ['direct/acme/bobby/a', 'direct/acme/a', 'direct/other/bob/a', 'uploads/acme/x/a', 'a']) {
      expect([key, await put(key)]).toEqual([key, 403])
    }
    const [row] = await sql().credentialGrant.findMany({ where: { subject: 'bob', kind: 'direct' } })
    expect(row).toMatchObject({ uploadId: null, resource: 'partway-local/direct/acme/bob/*', tenant: 'acme' })
  })

  it.each(['*', '?', '$', '${acs:UserName}', '../alice', 'a/b', '*/../*', '漢', ' '])(
    'of a tenant and subject named %j are for a folder without any wildcard',
    async (name) => {
      const { status, body } = await newcomer({ subject: name, tenant: `${name}x` })('grantDirectCredentials')
      expect(status).toBe(200)
      expect(body.prefix).toMatch(/^direct\/~[0-9a-f]{32}\/~[0-9a-f]{32}\/$/)
    },
  )

  it('need their own scope, and a token without limits: nothing could keep them', async () => {
    const plain = newcomer({ scopes: ['uploads', 'credentials'] })
    expectCode(await plain('grantDirectCredentials'), 'grantDirectCredentials', 'forbidden')
    for (const limits of [{ maxSizeBytes: 5 }, { contentTypes: ['image/*'] }]) {
      const limited = newcomer({ limits })
      expectCode(await limited('grantDirectCredentials'), 'grantDirectCredentials', 'forbidden')
      expectCode(await limited('createAuthUrl'), 'createAuthUrl', 'forbidden')
    }
    const everybody = newcomer({ subject: 'op', tenant: '*' })
    expectCode(await everybody('grantDirectCredentials'), 'grantDirectCredentials', 'forbidden')
    expect(app.cloud.requests.count('AssumeRole')).toBe(0)
  })

  it('go where DIRECT_PREFIX says', async () => {
    const moved = await startTestApp({ beside: app, environment: { DIRECT_PREFIX: 'inbox/raw/' } })
    try {
      const { body } = await newcomer({ subject: 'carol' }, moved)('grantDirectCredentials')
      expect(body.prefix).toBe('inbox/raw/acme/carol/')
    } finally {
      await moved.close()
    }
  })
})

describe('without STS_ROLE_ARN', () => {
  it('every way to credentials answers credentials-disabled, and presigned mode works', async () => {
    const off = await startTestApp({
      beside: app,
      config: (config) => ({ ...config, sts: { ...config.sts, roleArn: null } }),
    })
    try {
      const api = newcomer({}, off)
      const upload = await create(api)
      expectCode(await api('grantCredentials', { id: upload.id }), 'grantCredentials', 'credentials-disabled')
      expectCode(await api('grantDirectCredentials'), 'grantDirectCredentials', 'credentials-disabled')
      expectCode(await api('createAuthUrl'), 'createAuthUrl', 'credentials-disabled')
      expect((await api('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })).status).toBe(200)
    } finally {
      await off.close()
    }
  })
})

describe('when STS', () => {
  it.each([
    [400, 'Throttling.User'],
    [503, 'ServiceUnavailable'],
    [403, 'NoPermission'],
    [404, 'EntityNotExist.Role'],
  ])(
    'answers %i %s, the caller hears credentials-unavailable and Retry-After, and the log the code',
    async (status, code) => {
      const alone = await startTestApp({ beside: app })
      try {
        app.cloud.faults.add({
          match: { verb: 'AssumeRole' },
          effect: { kind: 'answer', status, code, message: 'canary' },
        })
        const api = newcomer({}, alone)
        const upload = await create(api)
        for (const [name, options] of [
          ['grantCredentials', { id: upload.id }],
          ['grantDirectCredentials', {}],
        ] as const) {
          const reply = await api(name, options)
          expectCode(reply, name, 'credentials-unavailable')
          expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0)
          expect(JSON.stringify(reply.body)).not.toMatch(/canary|Throttling|Permission|role\//)
        }
        expect((await api('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })).status).toBe(200)
        await expect.poll(() => alone.logLines.join('')).toContain(code)
        const log = alone.logLines.join('')
        for (const secret of ['canary', 'Policy', 'SignatureNonce', 'acs:oss:']) expect(log).not.toContain(secret)
        const { text } = await alone.deps.metrics.expose()
        expect(text).toContain(
          `partway_sts_call_duration_seconds_count{outcome="${status === 503 ? 'unreachable' : code}"}`,
        )
      } finally {
        await alone.close()
      }
    },
  )

  it('is asked, the metrics count it, and name nobody', async () => {
    const counted = await startTestApp({ beside: app })
    try {
      const api = newcomer({}, counted)
      const upload: Upload = await create(api)
      await api('grantCredentials', { id: upload.id })
      await api('grantCredentials', { id: upload.id })
      await api('grantDirectCredentials')
      const { text } = await counted.deps.metrics.expose()
      expect(text).toContain('partway_sts_call_duration_seconds_count{outcome="ok"} 2\n')
      expect(text).toContain('partway_credentials_issued_total{kind="upload"} 2\n')
      expect(text).toContain('partway_credentials_issued_total{kind="direct"} 1\n')
      for (const leak of [api.subject, upload.id]) expect(text).not.toContain(leak)
    } finally {
      await counted.close()
    }
  })
})

describe('the log', () => {
  it('holds none of what was vended', async () => {
    const api = newcomer()
    const upload = await create(api)
    const replies = [await api('grantCredentials', { id: upload.id }), await api('grantDirectCredentials')]
    await expect
      .poll(() => app.logLines.filter((line) => line.includes('grantDirectCredentials')).length)
      .toBeGreaterThan(0)
    const log = app.logLines.join('')
    for (const { body } of replies) {
      for (const secret of [body.accessKeyId, body.accessKeySecret, body.securityToken])
        expect(log).not.toContain(secret)
    }
  })
})
