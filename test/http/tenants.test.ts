import { type Endpoint, type EndpointName, endpoints, type ProblemCode } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { problemsOf } from '../../server/http/openapi.ts'
import { type Api, type ApiReply, createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

/* The kill switch and limits, on two instances over one database. How limits are held is in test/db/quotas.test.ts. */

let app: TestApp
let second: TestApp
let operator: Api
let count = 0
beforeAll(async () => {
  app = await startTestApp()
  second = await startTestApp({ beside: app })
  operator = createApi(app.url, app.token({ subject: 'op', tenant: '*', scopes: ['admin'] }))
})
afterAll(async () => {
  await second.close()
  await app.close()
})

const newTenant = () => `tenant-${++count}`
const user = (tenant: string, on: TestApp = second) =>
  createApi(on.url, on.token({ tenant, scopes: ['uploads', 'credentials', 'credentials:direct'] }))
const adminOf = (tenant: string) => createApi(app.url, app.token({ subject: 'boss', tenant, scopes: ['admin'] }))
const suspend = (as: Api, tenant: string, suspended = true) => as('updateTenant', { tenant, body: { suspended } })

const unlimited = { maxOpenUploads: null, maxBytesInFlight: null, maxCreatesPerMinute: null }

function expectCode(reply: ApiReply, name: EndpointName, status: number, code: ProblemCode): void {
  expect([name, reply.status, reply.body.code]).toEqual([name, status, code])
  expect(problemsOf(endpoints[name] as Endpoint)).toContain(code)
}

describe('a suspended tenant', () => {
  it('gets no new upload, grant or credentials on any instance from the next request on, and finishes what it has', async () => {
    const tenant = newTenant()
    const api = user(tenant)
    const bytes = someBytes(MiB + 1)
    const [sent, open] = [await createFor(api, bytes), await createFor(api, bytes)]
    await sendParts(api, sent, bytes)
    expect((await api('grantCredentials', { id: open.id })).status).toBe(200)
    const auth = (await api('createAuthUrl')).body

    const reply = await suspend(operator, tenant)
    expect(reply.status).toBe(200)
    expect(reply.body).toEqual({
      tenant: {
        tenant,
        suspended: true,
        suspendedAt: expect.stringMatching(/Z$/),
        limits: unlimited,
        effectiveLimits: unlimited,
        usage: { openUploads: 2, bytesInFlight: 2 * (MiB + 1), createsThisMinute: 0 },
      },
    })

    // Also where the credentials are still remembered.
    const refusals: [EndpointName, object][] = [
      ['createUpload', { body: { fileName: 'a', sizeBytes: 1 } }],
      ['grantParts', { id: open.id, body: { parts: [{ partNumber: 1 }] } }],
      ['grantCredentials', { id: open.id }],
      ['grantDirectCredentials', {}],
      ['createAuthUrl', {}],
    ]
    for (const instance of [app, second]) {
      for (const [name, options] of refusals) {
        expectCode(await user(tenant, instance)(name, options), name, 403, 'tenant-suspended')
      }
      const asked = await fetch(auth.url.replace(second.url, instance.url))
      expect(await asked.json()).toMatchObject({ StatusCode: 403, ErrorCode: 'tenant-suspended' })
    }
    expect((await api('listUploads')).status).toBe(200)
    expect((await api('completeUpload', { id: sent.id, body: {} })).status).toBe(200)
    expect((await api('abortUpload', { id: open.id })).status).toBe(200)
    expect((await createFor(user(newTenant()), bytes)).state).toBe('uploading')

    expect((await suspend(operator, tenant, false)).body.tenant).toMatchObject({
      suspended: false,
      suspendedAt: null,
      usage: { openUploads: 0, bytesInFlight: 0 },
    })
    expect((await createFor(api, bytes)).state).toBe('uploading')
    expect((await api('grantDirectCredentials')).status).toBe(200)
  })

  it('stays suspended since the first time that was said', async () => {
    const tenant = newTenant()
    const first = (await suspend(operator, tenant)).body.tenant.suspendedAt
    expect((await suspend(operator, tenant)).body.tenant.suspendedAt).toBe(first)
    expect((await suspend(operator, tenant, false)).status).toBe(200)
    expect((await suspend(operator, tenant, false)).body.tenant.suspended).toBe(false)
  })

  it.each(['acme/eu', 'a b', '漢字', '?', '#', '%', '..x', '😀'.repeat(200)])('may be named %j', async (name) => {
    const tenant = `${newTenant()}${name}`
    expect((await suspend(operator, tenant)).body.tenant.tenant).toBe(tenant)
    expectCode(await user(tenant)('grantDirectCredentials'), 'grantDirectCredentials', 403, 'tenant-suspended')
  })
})

describe('an administrator', () => {
  it('of one tenant reaches that one only', async () => {
    const [own, other] = [newTenant(), newTenant()]
    expectCode(await suspend(adminOf(own), other), 'updateTenant', 403, 'forbidden')
    expect((await user(other)('listUploads')).status).toBe(200)
    expect((await suspend(adminOf(own), own)).status).toBe(200)
    expectCode(await user(own)('grantDirectCredentials'), 'grantDirectCredentials', 403, 'tenant-suspended')
    expect((await suspend(adminOf(own), own, false)).body.tenant.suspended).toBe(false)
  })

  it('of one tenant cannot lift what one of all tenants has said, before or after', async () => {
    const tenant = newTenant()
    await suspend(operator, tenant)
    expectCode(await suspend(adminOf(tenant), tenant, false), 'updateTenant', 403, 'tenant-suspended')
    await suspend(adminOf(tenant), tenant)
    expectCode(await suspend(adminOf(tenant), tenant, false), 'updateTenant', 403, 'tenant-suspended')
    expect((await suspend(operator, tenant, false)).body.tenant.suspended).toBe(false)
  })

  it('needs the scope admin', async () => {
    expectCode(await suspend(user('acme', app), 'acme'), 'updateTenant', 403, 'forbidden')
    expectCode(await suspend(createApi(app.url, 'x'), 'acme'), 'updateTenant', 401, 'unauthenticated')
  })

  it.each([
    ['no body', undefined, '/body'],
    ['an empty body', {}, '/body'],
    ['a limit below nothing', { limits: { maxOpenUploads: -1 } }, '/body/limits/maxOpenUploads'],
    ['a limit that is no number', { limits: { maxBytesInFlight: '1' } }, '/body/limits/maxBytesInFlight'],
    ['an unknown limit', { limits: { maxFiles: 1 } }, '/body/limits/maxFiles'],
    ['text for a flag', { suspended: 'true' }, '/body/suspended'],
    ['an unknown field', { suspended: true, reason: 'x' }, '/body/reason'],
  ])('is told what is wrong with %s', async (_, body, pointer) => {
    const reply = await operator('updateTenant', { tenant: 'acme', ...(body === undefined ? {} : { body }) })
    expectCode(reply, 'updateTenant', 400, 'invalid-request')
    expect(reply.body.errors[0].pointer.startsWith(pointer)).toBe(true)
  })

  it.each(['*', '\u0000', 'x'.repeat(257)])('cannot mean the tenant %j', async (tenant) => {
    const reply = await suspend(operator, tenant)
    expectCode(reply, 'updateTenant', 400, 'invalid-request')
    expect(reply.body.errors[0].pointer).toBe('/params/tenant')
  })

  it('leaves a line in the log that says who did it', async () => {
    const tenant = newTenant()
    await suspend(adminOf(tenant), tenant)
    const line = app.logLines.find((text) => text.includes('a tenant is suspended') && text.includes(tenant)) ?? '{}'
    expect(JSON.parse(line)).toMatchObject({ tenant, by: { tenant, subject: 'boss' }, requestId: expect.any(String) })
  })
})

describe('the limits of a tenant', () => {
  const limit = (as: Api, tenant: string, limits: object) => as('updateTenant', { tenant, body: { limits } })
  const read = async (as: Api, tenant: string) => (await as('getTenant', { tenant })).body.tenant

  it('are set by an operator, each by itself, and hold on every instance from the next create on', async () => {
    const tenant = newTenant()
    const all = { maxOpenUploads: 1, maxBytesInFlight: 9_007_199_254_740_991, maxCreatesPerMinute: 1_000_000 }
    expect((await limit(operator, tenant, all)).body.tenant).toMatchObject({ limits: all, effectiveLimits: all })
    expect((await limit(operator, tenant, { maxCreatesPerMinute: null })).body.tenant.limits).toEqual({
      ...all,
      maxCreatesPerMinute: null,
    })
    for (const instance of [app, second]) {
      const reply = await user(tenant, instance)('createUpload', { body: { fileName: 'a', sizeBytes: 5 } })
      if (instance === app) expect(reply.status).toBe(201)
      else expectCode(reply, 'createUpload', 429, 'quota-exceeded')
    }
    expect(await read(operator, tenant)).toMatchObject({
      suspended: false,
      limits: { maxOpenUploads: 1 },
      usage: { openUploads: 1, bytesInFlight: 5, createsThisMinute: expect.any(Number) },
    })
    expect((await limit(operator, tenant, { maxOpenUploads: null })).status).toBe(200)
    expect((await user(tenant)('createUpload', { body: { fileName: 'a', sizeBytes: 5 } })).status).toBe(201)
  })

  it('change together with a suspension, or not at all', async () => {
    const tenant = newTenant()
    const body = { suspended: true, limits: { maxOpenUploads: 7 } }
    expectCode(await adminOf(tenant)('updateTenant', { tenant, body }), 'updateTenant', 403, 'forbidden')
    expect(await read(operator, tenant)).toMatchObject({ suspended: false, limits: unlimited })
    expect((await operator('updateTenant', { tenant, body })).body.tenant).toMatchObject({
      suspended: true,
      limits: { maxOpenUploads: 7 },
    })
  })

  it('are shown to the tenant’s own administrator, who cannot change them, and to no other', async () => {
    const [tenant, other] = [newTenant(), newTenant()]
    await limit(operator, tenant, { maxOpenUploads: 7 })
    expectCode(await limit(adminOf(tenant), tenant, { maxOpenUploads: 8 }), 'updateTenant', 403, 'forbidden')
    expectCode(await limit(adminOf(tenant), tenant, {}), 'updateTenant', 403, 'forbidden')
    expect((await read(adminOf(tenant), tenant)).limits.maxOpenUploads).toBe(7)
    expectCode(await adminOf(other)('getTenant', { tenant }), 'getTenant', 403, 'forbidden')
    expectCode(await user(tenant, app)('getTenant', { tenant }), 'getTenant', 403, 'forbidden')
  })

  it('are those of an ordinary tenant for one that nothing was ever said about', async () => {
    const tenant = newTenant()
    expect(await read(operator, tenant)).toEqual({
      tenant,
      suspended: false,
      suspendedAt: null,
      limits: unlimited,
      effectiveLimits: unlimited,
      usage: { openUploads: 0, bytesInFlight: 0, createsThisMinute: 0 },
    })
    expect(await app.deps.db.prisma.tenant.count({ where: { tenant } })).toBe(0)
  })

  it('leave a line in the log that says who changed them', async () => {
    const tenant = newTenant()
    await limit(operator, tenant, { maxOpenUploads: 7 })
    const line = app.logLines.find((text) => text.includes('has other limits') && text.includes(tenant)) ?? '{}'
    expect(JSON.parse(line)).toMatchObject({
      tenant,
      by: { tenant: '*', subject: 'op' },
      limits: { maxOpenUploads: 7 },
    })
  })
})
