import { endpoints } from '@partway/client/contract'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { problemsOf } from '../../server/http/openapi.ts'
import { createApi } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

/* What administrators are told of, and by whom it is seen. What makes an event is tested where it happens. */

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())

const admin = (tenant: string) => createApi(app.url, app.token({ subject: 'boss', tenant, scopes: ['admin'] }))
const uploadId = `upl_${'0'.repeat(32)}`
const detail = {
  bucket: 'partway-local',
  key: 'uploads/a',
  differences: [
    { what: 'tag', completed: uploadId, found: null },
    { what: 'size', completed: 7, found: 9 },
  ],
}

/** Events of a tenant, some of them of the same moment, oldest first. */
async function happened(tenant: string, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    const createdAt = new Date(Date.UTC(2026, 0, 1) + Math.floor(number / 3) * 1000)
    await app.deps.db.prisma.event.create({ data: { kind: 'object-changed', tenant, uploadId, detail, createdAt } })
  }
}

let count = 0
let tenant: string
beforeEach(() => {
  tenant = `tenant-${++count}`
})

describe('the events', () => {
  it('of a tenant are shown to its administrator, whole and newest first', async () => {
    await happened(tenant, 2)
    const { status, body } = await admin(tenant)('listEvents')
    expect(status).toBe(200)
    const event = { kind: 'object-changed', tenant, uploadId, detail, createdAt: '2026-01-01T00:00:00.000Z' }
    const id = expect.stringMatching(/^[1-9][0-9]*$/)
    expect(body).toEqual({
      events: [
        { ...event, id },
        { ...event, id },
      ],
      nextCursor: null,
    })
    expect(Number(body.events[0].id)).toBeGreaterThan(Number(body.events[1].id))
  })

  it('come in pages that leave nothing out and show nothing twice, though many are of one moment', async () => {
    await happened(tenant, 11)
    const seen: string[] = []
    let query: Record<string, string> = { limit: '2' }
    for (let page = 0; page < 6; page++) {
      const { body } = await admin(tenant)('listEvents', { query })
      seen.push(...body.events.map(({ id }: { id: string }) => id))
      expect(body.nextCursor === null).toBe(page === 5)
      query = { limit: '2', cursor: body.nextCursor }
    }
    expect(seen).toHaveLength(11)
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => Number(b) - Number(a)))
  })

  it('of other tenants are seen by an administrator of all, of each or of one', async () => {
    const other = `${tenant}-b`
    await happened(tenant, 1)
    await happened(other, 1)
    const tenantsOf = (body: { events: { tenant: string }[] }) => new Set(body.events.map((event) => event.tenant))
    const all = (await admin('*')('listEvents', { query: { limit: '100' } })).body
    expect([...tenantsOf(all)]).toEqual(expect.arrayContaining([tenant, other]))
    const one = (await admin('*')('listEvents', { query: { tenant: other } })).body
    expect([...tenantsOf(one)]).toEqual([other])
    expect((await admin(other)('listEvents', { query: { tenant: other } })).body.events).toHaveLength(1)
    const refused = await admin(tenant)('listEvents', { query: { tenant: other } })
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden'])
  })

  it('of others cannot be reached by a cursor of theirs', async () => {
    const other = `${tenant}-b`
    await happened(other, 3)
    await happened(tenant, 3)
    const { nextCursor } = (await admin(other)('listEvents', { query: { limit: '1' } })).body
    const { body } = await admin(tenant)('listEvents', { query: { cursor: nextCursor } })
    expect(body.events.filter((event: { tenant: string }) => event.tenant !== tenant)).toEqual([])
  })

  it('need the scope admin', async () => {
    const user = createApi(app.url, app.token({ tenant, scopes: ['uploads:tenant', 'credentials:direct'] }))
    const reply = await user('listEvents')
    expect([reply.status, reply.body.code]).toEqual([403, 'forbidden'])
    expect(problemsOf(endpoints.listEvents)).toContain('forbidden')
  })

  it.each<[string, unknown]>([
    ['no JSON', 'x'],
    ['the id of an upload', ['2026-01-01T00:00:00.000Z', uploadId]],
    ['a number beyond Postgres', ['2026-01-01T00:00:00.000Z', '9'.repeat(19)]],
    ['a time before its own', ['-000001-01-01T00:00:00.000Z', '1']],
  ])('are refused for a cursor of %s', async (_, value) => {
    const cursor = Buffer.from(JSON.stringify(value)).toString('base64url')
    const { status, body } = await admin(tenant)('listEvents', { query: { cursor } })
    expect([status, body.code, body.errors[0].pointer]).toEqual([400, 'invalid-request', '/query/cursor'])
  })
})
