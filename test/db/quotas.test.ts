import type { TenantLimits } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readTenant, setLimits } from '../../server/db/tenant-rows.ts'
import { sweepStale } from '../../server/uploads/sweep-stale.ts'
import { type Api, type ApiReply, createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

/* What a tenant may have at once, held on two instances over one database. */

let app: TestApp
let second: TestApp
beforeAll(async () => {
  app = await startTestApp()
  second = await startTestApp({ beside: app })
})
afterAll(async () => {
  await second.close()
  await app.close()
})
afterEach(() => app.cloud.faults.clear())

let count = 0
let tenant: string
let api: Api
let secondApi: Api
beforeEach(() => {
  tenant = `tenant-${++count}`
  api = apiOf(app)
  secondApi = apiOf(second)
})

const sql = () => app.deps.db.prisma
const apiOf = (on: TestApp, owner = tenant) => createApi(on.url, on.token({ tenant: owner }))
const limit = (limits: Partial<TenantLimits>) => setLimits(sql(), tenant, limits)
const usage = async () => (await readTenant(sql(), tenant)).usage
const create = (as: Api, fields: object = {}, headers = {}): Promise<ApiReply> =>
  as('createUpload', { body: { fileName: 'a', sizeBytes: 10, ...fields }, headers })
const codes = (replies: ApiReply[]) => {
  const counted: Record<string, number> = {}
  for (const { status, body } of replies) {
    const name = body.code ?? String(status)
    counted[name] = (counted[name] ?? 0) + 1
  }
  return counted
}
/** Half of them on each instance. */
const createAtOnce = (times: number, fields: object = {}) =>
  Promise.all(Array.from({ length: times }, (_, index) => create(index % 2 ? api : secondApi, fields)))
const counted = async (columns: string) => {
  const [row] = await sql().$queryRawUnsafe<Record<string, bigint>[]>(
    `SELECT ${columns} FROM uploads WHERE tenant = '${tenant}'`,
  )
  return Object.values(row ?? {}).map(Number)
}
const open = `count(*) FILTER (WHERE state NOT IN ('completed', 'aborted')) AS open,
  coalesce(sum(size_bytes) FILTER (WHERE state NOT IN ('completed', 'aborted')), 0) AS bytes`

describe('50 creates at once on two instances', () => {
  it('make exactly as many uploads as may be open', async () => {
    await limit({ maxOpenUploads: 10 })
    expect(codes(await createAtOnce(50))).toEqual({ 201: 10, 'quota-exceeded': 40 })
    expect(await counted('count(*)')).toEqual([10])
    expect(await usage()).toMatchObject({ openUploads: 10, bytesInFlight: 100 })
  })

  it('never have more bytes in flight than allowed, and use them as far as whole files go', async () => {
    await limit({ maxBytesInFlight: 7 * MiB + 1 })
    expect(codes(await createAtOnce(50, { sizeBytes: MiB }))).toEqual({ 201: 7, 'quota-exceeded': 43 })
    expect(await usage()).toMatchObject({ bytesInFlight: 7 * MiB })
    expect((await create(api, { sizeBytes: 1 })).status).toBe(201)
  })

  it('are as many as a minute allows, and those refused do not count', async () => {
    await limit({ maxCreatesPerMinute: 12 })
    const replies = await createAtOnce(50)
    const [made] = await counted('count(*)')
    // The clock may have begun another minute meanwhile.
    expect([12, 24]).toContain(made)
    expect(codes(replies)).toEqual({ 201: made, 'rate-limited': 50 - (made ?? 0) })
    expect((await usage()).createsThisMinute).toBeLessThanOrEqual(12)
  })

  it('are all made where there is no limit, by a statement that counts nothing', async () => {
    expect(codes(await createAtOnce(50))).toEqual({ 201: 50 })
    expect(await usage()).toEqual({ openUploads: 50, bytesInFlight: 500, createsThisMinute: 0 })
  })

  it('and their ends at the same time leave numbers that agree with the rows', async () => {
    await limit({ maxOpenUploads: 8 })
    const rounds = Array.from({ length: 30 }, async (_, index) => {
      const as = index % 2 ? api : secondApi
      const reply = await create(as, { sizeBytes: index })
      if (reply.status === 201) await as('abortUpload', { id: reply.body.upload.id })
      return reply
    })
    const outcomes = codes(await Promise.all(rounds))
    expect(Object.keys(outcomes).filter((code) => !['201', 'quota-exceeded'].includes(code))).toEqual([])
    const { openUploads, bytesInFlight } = await usage()
    expect([openUploads, bytesInFlight]).toEqual(await counted(open))
  })
})

describe('an upload makes room for another when it', () => {
  const ends: Record<string, (id: string, bytes: Buffer) => Promise<unknown>> = {
    'is completed': async (id) => api('completeUpload', { id, body: {} }),
    'is given up': async (id) => api('abortUpload', { id }),
    'has expired': async (id) => {
      await sql().$executeRaw`UPDATE uploads SET created_at = now() - interval '8 days',
        grants_alive_until = now() - interval '1 day' WHERE id = ${id}`
      return sweepStale(app.deps)
    },
  }
  it.each(Object.keys(ends))('%s', async (name) => {
    await limit({ maxOpenUploads: 1, maxBytesInFlight: 20 })
    const bytes = someBytes(15)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes)
    expect((await create(secondApi)).body.code).toBe('quota-exceeded')
    await ends[name]?.(upload.id, bytes)
    expect(await usage()).toMatchObject({ openUploads: 0, bytesInFlight: 0 })
    expect((await create(secondApi)).status).toBe(201)
  })

  it('was refused by OSS', async () => {
    await limit({ maxOpenUploads: 1 })
    const effect = { kind: 'answer', status: 403, code: 'AccessDenied' } as const
    app.cloud.faults.add({ match: { verb: 'InitiateMultipartUpload' }, times: 1, effect })
    expect((await create(api)).status).toBe(503)
    expect(await counted('count(*)')).toEqual([0])
    expect((await create(secondApi)).status).toBe(201)
  })
})

describe('a create that is no new upload', () => {
  it('needs no room: the same key, or the same file', async () => {
    await limit({ maxOpenUploads: 2, maxCreatesPerMinute: 1000 })
    const key = { 'idempotency-key': `key-${tenant}` }
    const keyed = await create(api, {}, key)
    const file = { fingerprint: `file-${tenant}`, resume: true }
    const first = await create(api, file)
    const { createsThisMinute } = await usage()
    expect((await create(secondApi, {}, key)).body.upload.id).toBe(keyed.body.upload.id)
    expect((await create(secondApi, file)).body.upload.id).toBe(first.body.upload.id)
    expect((await create(secondApi, { fingerprint: 'another', resume: true })).body.code).toBe('quota-exceeded')
    expect((await usage()).createsThisMinute).toBeLessThanOrEqual(createsThisMinute)
  })

  it('leaves no key behind when there is no room, so that the same request can be made again', async () => {
    await limit({ maxOpenUploads: 0 })
    const key = { 'idempotency-key': `key-${tenant}` }
    expect((await create(api, {}, key)).body.code).toBe('quota-exceeded')
    expect(await sql().idempotencyKey.count({ where: { tenant } })).toBe(0)
    await limit({ maxOpenUploads: null })
    expect((await create(api, {}, key)).status).toBe(201)
  })
})

describe('a refusal', () => {
  it('says which limit it is, and when to come back', async () => {
    await limit({ maxOpenUploads: 1 })
    await create(api)
    const full = await create(api)
    expect([full.status, full.body.code, full.headers.get('retry-after')]).toEqual([429, 'quota-exceeded', '30'])
    expect(full.body.detail).toBe('The tenant has 1 open uploads, and may have 1.')

    await limit({ maxOpenUploads: null, maxBytesInFlight: 15 })
    expect((await create(api)).body.detail).toBe('The tenant has 10 bytes in flight, and may have 15.')

    await limit({ maxBytesInFlight: null, maxCreatesPerMinute: 0 })
    const slow = await create(api)
    expect([slow.status, slow.body.code]).toEqual([429, 'rate-limited'])
    expect(slow.body.detail).toBe('The tenant may create 0 uploads in a minute.')
    expect(Number(slow.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(Number(slow.headers.get('retry-after'))).toBeLessThanOrEqual(60)
  })

  it('of a file that could never be sent is no promise that waiting helps', async () => {
    await limit({ maxBytesInFlight: 100 })
    const reply = await create(api, { sizeBytes: 101 })
    expect([reply.status, reply.body.code]).toEqual([413, 'file-too-large'])
    expect(reply.body.detail).toBe('The tenant may have 100 bytes in flight, and the file is larger.')
  })
})

describe('the minute', () => {
  it('is forgotten when another begins', async () => {
    await limit({ maxCreatesPerMinute: 1 })
    const { status } = await create(api)
    expect(status).toBe(201)
    await sql().$executeRaw`UPDATE tenant_usage SET minute = minute - interval '1 minute' WHERE tenant = ${tenant}`
    expect((await usage()).createsThisMinute).toBe(0)
    expect((await create(secondApi)).status).toBe(201)
    expect((await usage()).createsThisMinute).toBeLessThanOrEqual(1)
  })

  it('does not begin again when a clock goes back', async () => {
    await limit({ maxCreatesPerMinute: 1 })
    await create(api)
    await sql().$executeRaw`UPDATE tenant_usage SET minute = minute + interval '2 minutes' WHERE tenant = ${tenant}`
    expect((await create(secondApi)).body.code).toBe('rate-limited')
  })
})

describe('the server’s own QUOTA_…', () => {
  it('hold for every tenant, but where it has a limit of its own', async () => {
    const strict = await startTestApp({
      beside: app,
      environment: { QUOTA_OPEN_UPLOADS: '1', QUOTA_BYTES_IN_FLIGHT: '100', QUOTA_CREATES_PER_MINUTE: '1000' },
    })
    try {
      const by = apiOf(strict)
      expect((await create(by)).status).toBe(201)
      expect((await create(by)).body.code).toBe('quota-exceeded')
      expect((await create(apiOf(strict, `${tenant}-b`))).status).toBe(201)
      await limit({ maxOpenUploads: 3 })
      expect((await create(by)).status).toBe(201)
      expect((await create(by, { sizeBytes: 90 })).body.detail).toBe(
        'The tenant has 20 bytes in flight, and may have 100.',
      )
    } finally {
      await strict.close()
    }
  })
})
