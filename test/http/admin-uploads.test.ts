import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AdminUploadFilter } from '../../server/db/admin-upload-filter.ts'
import type { UploadRow } from '../../server/db/upload-row.ts'
import { everyOrder, expectedIds, insertRandomUploads, tenants } from '../support/admin-rows.ts'
import { type Api, createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let rows: UploadRow[]
let operator: Api
let acme: Api
beforeAll(async () => {
  app = await startTestApp({ environment: { PRICE_PER_GB_MONTH: '0.5' } })
  rows = await insertRandomUploads(app.deps.db, 300)
  operator = createApi(app.url, app.token({ subject: 'op', tenant: '*', scopes: ['admin'] }))
  acme = adminOf('acme')
})
afterAll(() => app.close())

const adminOf = (tenant: string) => createApi(app.url, app.token({ subject: 'boss', tenant, scopes: ['admin'] }))
const openFilter: AdminUploadFilter = {
  tenant: null,
  states: ['pending', 'uploading', 'completing', 'aborting'],
  idleSeconds: null,
  prefix: null,
  minBytes: null,
}
const unknownId = `upl_${'0'.repeat(32)}`

type Seen = { id: string; tenant: string }

async function walk(api: Api, query: Record<string, string>, between: () => Promise<unknown> = async () => {}) {
  const seen: Seen[] = []
  for (let cursor: string | null = null; ; ) {
    const reply = await api('listAdminUploads', { query: { ...query, ...(cursor === null ? {} : { cursor }) } })
    expect(reply.status).toBe(200)
    seen.push(...reply.body.uploads)
    cursor = reply.body.nextCursor
    if (cursor === null) return seen
    await between()
  }
}
const idsOf = (seen: readonly { id: string }[]) => seen.map(({ id }) => id)

describe('the list of uploads', () => {
  it.each(everyOrder)('goes by $sort $direction through all open uploads, each once', async (order) => {
    const found = await walk(operator, { sort: order.sort, order: order.direction, limit: '40' })
    expect(idsOf(found)).toEqual(expectedIds(rows, openFilter, order))
  })

  it('begins with the longest idle, the oldest, the biggest, and of ended uploads the latest', async () => {
    const first = async (query: Record<string, string>) =>
      idsOf((await operator('listAdminUploads', { query: { ...query, limit: '1' } })).body.uploads)[0]
    const expected = (sort: 'lastActivityAt' | 'createdAt' | 'storedBytes', direction: 'asc' | 'desc', part = {}) =>
      expectedIds(rows, { ...openFilter, ...part }, { sort, direction })[0]
    expect(await first({})).toBe(expected('lastActivityAt', 'asc'))
    expect(await first({ sort: 'createdAt' })).toBe(expected('createdAt', 'asc'))
    expect(await first({ sort: 'storedBytes' })).toBe(expected('storedBytes', 'desc'))
    expect(await first({ state: 'aborted' })).toBe(expected('lastActivityAt', 'desc', { states: ['aborted'] }))
  })

  it('combines its filters', async () => {
    const query = { tenant: 'acme', state: 'uploading', staleForSeconds: '7200', prefix: 'uploads/', minBytes: '1' }
    const filter: AdminUploadFilter = {
      tenant: 'acme',
      states: ['uploading'],
      idleSeconds: 7200,
      prefix: 'uploads/',
      minBytes: 1,
    }
    const expected = expectedIds(rows, filter, { sort: 'lastActivityAt', direction: 'asc' })
    expect(expected.length).toBeGreaterThan(1)
    expect(idsOf(await walk(operator, { ...query, limit: '1' }))).toEqual(expected)
  })

  it('shows what an upload holds, what that costs, and how old it is', async () => {
    const row = rows.find(({ state, storedBytes }) => state === 'uploading' && storedBytes === 2 ** 33)
    const seen = (await walk(operator, { minBytes: String(2 ** 33), limit: '100' })).find(({ id }) => id === row?.id)
    expect(seen).toMatchObject({
      tenant: row?.tenant,
      storedBytes: 2 ** 33,
      storedBytesReadAt: null,
      monthlyCost: 4,
      partCount: 8192,
      createdAt: row?.createdAt.toISOString(),
      ageSeconds: expect.closeTo((Number(row?.readAt) - Number(row?.createdAt)) / 1000, -3),
      isStale: Number(row?.readAt) - Number(row?.lastActivityAt) >= 86_400_000,
      isAdopted: false,
    })
  })

  it('shows whatever stays as it is once, while rows change, come and go', async () => {
    const order = { sort: 'lastActivityAt', direction: 'asc' } as const
    const ids = expectedIds(rows, { ...openFilter, tenant: 'Ünïcode' }, order)
    const moved = new Set<string>()
    const seen = idsOf(
      await walk(operator, { tenant: 'Ünïcode', limit: '7' }, async () => {
        const touched = ids[moved.size * 3]
        const removed = ids[moved.size * 3 + 1]
        if (touched === undefined || removed === undefined) return
        for (const id of [touched, removed]) moved.add(id)
        await app.deps.db.prisma.$executeRaw`UPDATE uploads SET last_activity_at = now() WHERE id = ${touched}`
        await app.deps.db.prisma.$executeRaw`DELETE FROM uploads WHERE id = ${removed}`
      }),
    )
    expect(moved.size).toBeGreaterThan(2)
    const stayed = ids.filter((id) => !moved.has(id))
    expect(seen.filter((id) => !moved.has(id))).toEqual(stayed)
  })
})

describe('bytes held by uploads that hold none', () => {
  it.each([
    [{ state: 'completed', sort: 'storedBytes' }, ['/query/sort']],
    [{ state: 'aborted', minBytes: '0' }, ['/query/minBytes']],
    [{ state: 'aborted', minBytes: '0', sort: 'storedBytes' }, ['/query/sort', '/query/minBytes']],
  ])('are refused: %j', async (query, pointers) => {
    const reply = await operator('listAdminUploads', { query: query as Record<string, string> })
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid-request'])
    expect(reply.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(pointers)
  })
})

describe('another tenant’s administrator', () => {
  it('sees nothing of yours, in lists and one by one', async () => {
    const seen = await walk(acme, { limit: '100' })
    expect(seen.length).toBeGreaterThan(0)
    expect(new Set(seen.map(({ tenant }) => tenant))).toEqual(new Set(['acme']))
    const others = rows.find(({ tenant }) => tenant === 'other')
    const reply = await acme('getAdminUpload', { id: others?.id ?? '' })
    const unknown = await acme('getAdminUpload', { id: unknownId })
    const withoutInstance = ({ instance: _, ...problem }: Record<string, unknown>) => problem
    expect([reply.status, withoutInstance(reply.body)]).toEqual([404, withoutInstance(unknown.body)])
  })

  it.each(['listAdminUploads', 'getSummary'] as const)(
    'is told by %s that other tenants are not theirs',
    async (name) => {
      const reply = await acme(name, { query: { tenant: 'other' } })
      expect([reply.status, reply.body.code]).toEqual([403, 'forbidden'])
    },
  )

  it('cannot go on where an administrator of all stopped', async () => {
    const { nextCursor } = (await operator('listAdminUploads', { query: { limit: '1' } })).body
    expect((await acme('listAdminUploads', { query: { limit: '1', cursor: nextCursor } })).status).toBe(400)
  })

  it.each(['listAdminUploads', 'getAdminUpload', 'getSummary'] as const)('needs the scope for %s', async (name) => {
    const scopes = ['uploads', 'uploads:tenant', 'credentials', 'credentials:direct'] as const
    const user = createApi(app.url, app.token({ tenant: 'acme', scopes }))
    const reply = await user(name, { id: unknownId })
    expect([reply.status, reply.body.code]).toEqual([403, 'forbidden'])
  })
})

describe('cursors, filters and ids that were tampered with', () => {
  it('are refused with 400: a cursor under other filters, another order, or another list', async () => {
    const { nextCursor: cursor } = (await operator('listAdminUploads', { query: { limit: '1' } })).body
    const others = [
      { state: 'uploading' },
      { order: 'desc' },
      { sort: 'createdAt' },
      { prefix: 'u' },
      { tenant: 'acme' },
    ]
    for (const query of [...others, { minBytes: '0' }, { staleForSeconds: '0' }]) {
      const reply = await operator('listAdminUploads', { query: { ...query, cursor } as Record<string, string> })
      expect([query, reply.status, reply.body.errors?.[0]?.pointer]).toEqual([query, 400, '/query/cursor'])
    }
    expect((await operator('listEvents', { query: { cursor } })).status).toBe(400)
    expect((await operator('listAdminUploads', { query: { cursor, limit: '3' } })).status).toBe(200)
  })

  it('never answer with anything but 400', async () => {
    const { nextCursor: cursor } = (await operator('listAdminUploads', { query: { limit: '1' } })).body
    const changed = fc
      .tuple(fc.nat(cursor.length - 1), fc.constantFrom('A', 'z', '-', '=', '', '%', ' '))
      .map(([at, by]) => cursor.slice(0, at) + by + cursor.slice(at + 1))
    const forged = fc.json().map((text) => Buffer.from(`${'x'.repeat(16)}${text}`).toString('base64url'))
    await fc.assert(
      fc.asyncProperty(fc.oneof(changed, forged, fc.string({ unit: 'binary' })), async (tampered) => {
        fc.pre(tampered !== cursor)
        expect((await operator('listAdminUploads', { query: { limit: '1', cursor: tampered } })).status).toBe(400)
      }),
      { numRuns: 60 },
    )
  })

  it('never make an error of ours', async () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\0', '\ud800', "'; DROP TABLE uploads", '-1', '1e9', '9'.repeat(16), '*', '%', '\u{10ffff}'),
    )
    const names = ['staleForSeconds', 'state', 'tenant', 'prefix', 'minBytes', 'sort', 'order', 'limit', 'other']
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), value), value, async (query, id) => {
        expect((await operator('listAdminUploads', { query })).status).toBeOneOf([200, 400])
        expect((await operator('getAdminUpload', { id: `upl_${id.toWellFormed()}` })).status).toBe(404)
      }),
      { numRuns: 60 },
    )
  })
})

describe('one upload', () => {
  it('is shown with its parts, by pages, its ranges and what happened to it', async () => {
    const user = createApi(app.url, app.token({ subject: 'alice', tenant: 'acme', scopes: ['uploads', 'credentials'] }))
    const bytes = someBytes(3 * MiB)
    const upload = await createFor(user, bytes, { metadata: { album: 'summer' }, fingerprint: 'f-1' })
    await sendParts(user, upload, bytes, [1, 3])
    await user('saveCheckpoint', { id: upload.id, body: { parts: [{ partNumber: 1 }, { partNumber: 3 }] } })
    expect((await user('grantCredentials', { id: upload.id })).status).toBe(200)
    const { status, body } = await acme('getAdminUpload', { id: upload.id })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      upload: { id: upload.id, tenant: 'acme', subject: 'alice', state: 'uploading', storedBytes: 2 * MiB },
      metadata: { album: 'summer' },
      fingerprint: 'f-1',
      ossUploadId: expect.any(String),
      storedPartRanges: [
        [1, 1],
        [3, 3],
      ],
      parts: [
        { partNumber: 1, sizeBytes: MiB },
        { partNumber: 3, sizeBytes: MiB },
      ],
      nextPartsAfter: null,
      credentials: [{ subject: 'alice', ttlSeconds: expect.any(Number), expiresAt: body.upload.credentialsAliveUntil }],
    })
    expect(body.upload.grantsAliveUntil).not.toBeNull()
    expect(body.events.map(({ detail }: { detail: object }) => detail)).toEqual([
      { from: null, to: 'pending', abortReason: null },
      { from: 'pending', to: 'uploading', abortReason: null },
    ])
    const later = await acme('getAdminUpload', { id: upload.id, query: { partsAfter: '1' } })
    expect(later.body.parts.map(({ partNumber }: { partNumber: number }) => partNumber)).toEqual([3])
  })

  it('of very many parts is shown by pages of 1,000', async () => {
    const row = rows.find(({ state, sizeBytes }) => state === 'uploading' && sizeBytes === 2 ** 33)
    const id = row?.id ?? ''
    await app.deps.db.prisma.$executeRaw`
      INSERT INTO upload_parts (upload_id, part_number, size_bytes)
      SELECT ${id}, number, 1048576 FROM generate_series(1, 2500) AS number`
    const numbers: number[] = []
    for (let after: number | null = 0; after !== null; ) {
      const { body } = await operator('getAdminUpload', { id, query: { partsAfter: String(after) } })
      numbers.push(...body.parts.map(({ partNumber }: { partNumber: number }) => partNumber))
      after = body.nextPartsAfter
    }
    expect(numbers).toEqual(Array.from({ length: 2500 }, (_, index) => index + 1))
  })

  it('that is completed has all parts of its plan, though their rows are forgotten', async () => {
    const row = rows.find(({ state, sizeBytes }) => state === 'completed' && sizeBytes === 2 ** 33)
    const { body } = await operator('getAdminUpload', { id: row?.id ?? '' })
    expect([body.storedPartRanges, body.parts, tenants.includes(body.upload.tenant)]).toEqual([[[1, 8192]], [], true])
  })
})
