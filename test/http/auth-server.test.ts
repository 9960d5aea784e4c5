import { request } from 'node:http'
import { endpoints } from '@partway/client/contract'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startBackgroundWork } from '../../server/background/start-background-work.ts'
import { problemsOf } from '../../server/http/openapi.ts'
import { send } from '../local-cloud/send.ts'
import { type Api, createApi } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

/* What a phone with Alibaba's SDK meets: one URL, no header, HTTP 200 whatever happens. */

let app: TestApp
let api: Api
let subject: string
let count = 0

beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())
beforeEach(() => {
  subject = `phone-${++count}`
  api = createApi(app.url, app.token({ subject, tenant: 'acme', scopes: ['credentials:direct'] }))
})

async function mint(as: Api = api): Promise<{ id: string; url: string; expiresAt: string }> {
  const { status, body } = await as('createAuthUrl')
  expect(status).toBe(201)
  return body
}

/** As the SDK does: a bare GET, and the body read only after a 200. */
async function fetchCredentials(url: string) {
  const response = await fetch(url)
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8'])
  expect(response.headers.get('cache-control')).toBe('no-store')
  return (await response.json()) as Record<string, unknown>
}

describe('an auth URL', () => {
  it('gives the credentials of whoever minted it, in the words of the mobile SDKs', async () => {
    const { id, url, expiresAt } = await mint()
    expect(id).toMatch(/^aur_[0-9a-f]{32}$/)
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1\/compat\/auth-server\?token=[A-Za-z0-9_-]{43}$/)
    const leftSeconds = (Date.parse(expiresAt) - Date.now()) / 1000
    expect(Math.abs(leftSeconds - 86_400)).toBeLessThan(60)
    const reply = await fetchCredentials(url)
    expect(reply).toEqual({
      StatusCode: 200,
      AccessKeyId: expect.stringMatching(/^STS\./),
      AccessKeySecret: expect.any(String),
      SecurityToken: expect.any(String),
      Expiration: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/),
    })
    const credentials = {
      accessKeyId: String(reply.AccessKeyId),
      accessKeySecret: String(reply.AccessKeySecret),
      securityToken: String(reply.SecurityToken),
    }
    const put = async (key: string) =>
      (await send(app.cloud.ossUrl, { method: 'PUT', key, body: 'x', credentials })).status
    expect(await put(`direct/acme/${subject}/photo.jpg`)).toBe(200)
    expect(await put('direct/acme/somebody/photo.jpg')).toBe(403)
    const rows = await app.deps.db.prisma.credentialGrant.findMany({ where: { subject } })
    expect(rows).toMatchObject([
      { kind: 'auth-url', tenant: 'acme', resource: `partway-local/direct/acme/${subject}/*` },
    ])
  })

  it('is worthless after it was revoked, which can be said twice, and by nobody else', async () => {
    const { id, url } = await mint()
    const other = createApi(app.url, app.token({ subject: 'mallory', tenant: 'acme', scopes: ['credentials:direct'] }))
    expect((await other('revokeAuthUrl', { id })).body).toEqual({ id })
    expect((await fetchCredentials(url)).StatusCode).toBe(200)
    for (let round = 0; round < 2; round++) {
      const revoked = await api('revokeAuthUrl', { id })
      expect([revoked.status, revoked.body]).toEqual([200, { id }])
    }
    expect(await fetchCredentials(url)).toEqual({
      StatusCode: 401,
      ErrorCode: 'unauthenticated',
      ErrorMessage: expect.any(String),
    })
  })

  it('is worthless after AUTH_URL_TTL_SECONDS, and then forgotten', async () => {
    const { id, url, expiresAt } = await mint()
    await app.deps.db.prisma.authUrl.update({ where: { id }, data: { expiresAt: new Date(Date.now() - 1000) } })
    expect((await fetchCredentials(url)).ErrorCode).toBe('unauthenticated')
    const living = await mint()
    const work = startBackgroundWork(app.deps)
    try {
      await expect.poll(() => app.deps.db.prisma.authUrl.count({ where: { id } })).toBe(0)
    } finally {
      await work.stop()
    }
    expect((await fetchCredentials(living.url)).StatusCode).toBe(200)
    const short = await startTestApp({ beside: app, environment: { AUTH_URL_TTL_SECONDS: '60' } })
    try {
      const made = await mint(createApi(short.url, short.token({ scopes: ['credentials:direct'] })))
      expect(Date.parse(made.expiresAt)).toBeLessThan(Date.parse(expiresAt))
    } finally {
      await short.close()
    }
  })

  it('is kept as a hash only, and in no log line', async () => {
    const { id, url } = await mint()
    const token = new URL(url).searchParams.get('token') ?? 'none'
    const reply = await fetchCredentials(url)
    await fetchCredentials(`${url}x`)
    await fetch(`${app.url}/v1/compat/nothing?token=${token}`)
    const row = await app.deps.db.prisma.authUrl.findUniqueOrThrow({ where: { id } })
    expect(JSON.stringify(row)).not.toContain(token)
    await expect
      .poll(() => app.logLines.filter((line) => line.includes('/v1/compat/')).length)
      .toBeGreaterThanOrEqual(3)
    const log = app.logLines.join('')
    for (const secret of [token, reply.AccessKeyId, reply.AccessKeySecret, reply.SecurityToken]) {
      expect(log).not.toContain(String(secret))
    }
  })

  it('names the public address where one is configured, and the mount path', async () => {
    const known = await startTestApp({
      beside: app,
      environment: { PUBLIC_URL: 'https://up.example.com/files' },
      mount: { path: '/files' },
    })
    const mounted = await startTestApp({ beside: app, mount: { path: '/a/b' } })
    try {
      const scopes = ['credentials:direct'] as const
      expect((await mint(createApi(known.url, known.token({ scopes })))).url).toMatch(
        /^https:\/\/up\.example\.com\/files\/v1\/compat\/auth-server\?token=/,
      )
      const { url } = await mint(createApi(mounted.url, mounted.token({ scopes })))
      expect(url.startsWith(`${mounted.url}/v1/compat/auth-server?token=`)).toBe(true)
      expect((await fetchCredentials(url)).StatusCode).toBe(200)
    } finally {
      await known.close()
      await mounted.close()
    }
  })

  it.each([
    ['createAuthUrl', {}],
    ['revokeAuthUrl', { id: `aur_${'0'.repeat(32)}` }],
  ] as const)('%s needs the scope credentials:direct', async (name, options) => {
    const without = createApi(app.url, app.token({ scopes: ['uploads', 'credentials', 'admin'] }))
    const reply = await without(name, options)
    expect([reply.status, reply.body.code]).toEqual([403, 'forbidden'])
    expect(problemsOf(endpoints[name])).toContain('forbidden')
  })

  it('that cannot be one is refused by its id', async () => {
    const reply = await api('revokeAuthUrl', { id: 'aur_x' })
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid-request'])
    expect(reply.body.errors).toEqual([{ detail: 'must be the id of an auth URL', pointer: '/params/id' }])
  })
})

describe('the auth server', () => {
  it.each([
    ['no token', '', 401, 'unauthenticated'],
    ['an empty token', '?token=', 401, 'unauthenticated'],
    ['an unknown token', `?token=${'A'.repeat(43)}`, 401, 'unauthenticated'],
    ['a token of control characters', '?token=%00', 400, 'invalid-request'],
    ['a token of 10,000 characters', `?token=${'a'.repeat(10_000)}`, 400, 'invalid-request'],
    ['two tokens', '?token=a&token=b', 400, 'invalid-request'],
    ['parameters of somebody else', '?token=a&utm_source=x', 401, 'unauthenticated'],
  ])('answers %s with HTTP 200 and a code in the body', async (_, query, StatusCode, ErrorCode) => {
    expect(await fetchCredentials(`${app.url}/v1/compat/auth-server${query}`)).toEqual({
      StatusCode,
      ErrorCode,
      ErrorMessage: expect.stringMatching(/./),
    })
  })

  it('answers a GET that has a body in the same way', async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const sent = request(
        `${app.url}/v1/compat/auth-server`,
        { headers: { 'content-length': '2' } },
        async (reply) => {
          expect(reply.statusCode).toBe(200)
          let all = ''
          for await (const chunk of reply) all += chunk
          resolve(all)
        },
      )
      sent.on('error', reject)
      sent.end('{}')
    })
    expect(JSON.parse(text)).toMatchObject({ StatusCode: 400, ErrorCode: 'invalid-request' })
  })

  it('says in the body that the tenant is suspended, STS throttles, or the database is down', async () => {
    const { url } = await mint()
    app.cloud.faults.add({ match: { verb: 'AssumeRole' }, effect: { kind: 'answer', status: 400, code: 'Throttling' } })
    expect(await fetchCredentials(url)).toMatchObject({ StatusCode: 503, ErrorCode: 'credentials-unavailable' })
    app.cloud.faults.clear()
    await app.deps.db.prisma.tenant.create({ data: { tenant: 'acme', suspendedAt: new Date() } })
    expect(await fetchCredentials(url)).toMatchObject({ StatusCode: 403, ErrorCode: 'tenant-suspended' })
    await app.deps.db.prisma.tenant.delete({ where: { tenant: 'acme' } })
    const broken = new Error('connect ECONNREFUSED canary:5432')
    const prisma = new Proxy(app.deps.db.prisma, {
      get: () => {
        throw Object.assign(broken, { code: 'ECONNREFUSED' })
      },
    })
    const down = await startTestApp({ beside: app, deps: { db: { ...app.deps.db, prisma, close: async () => {} } } })
    try {
      const reply = await fetchCredentials(url.replace(app.url, down.url))
      expect(reply).toMatchObject({ StatusCode: 503, ErrorCode: 'database-unavailable' })
      expect(JSON.stringify(reply)).not.toContain('canary')
      await expect.poll(() => down.logLines.join('')).toContain('"code":"database-unavailable"')
    } finally {
      await down.close()
    }
  })
})
