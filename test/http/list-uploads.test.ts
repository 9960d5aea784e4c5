import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, createApi, createFor, MiB, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let api: Api
const ids: string[] = []

beforeAll(async () => {
  app = await startTestApp()
  api = createApi(app.url, app.token({ subject: 'alice', tenant: 'acme' }))
  for (let index = 0; index < 7; index++) {
    ids.push((await createFor(api, someBytes(2 * MiB), { fingerprint: `file-${index % 2}` })).id)
  }
  // The same moment for some: the order must still be one.
  await app.deps.db.prisma.$executeRaw`UPDATE uploads SET created_at = date_trunc('second', created_at)`
  await createFor(createApi(app.url, app.token({ subject: 'bob', tenant: 'acme' })), someBytes(1))
  await createFor(createApi(app.url, app.token({ subject: 'alice', tenant: 'other' })), someBytes(1))
})
afterAll(() => app.close())

async function pages(query: Record<string, string>, from = api): Promise<string[][]> {
  const all: string[][] = []
  let cursor: string | null = null
  do {
    const { body } = await from('listUploads', { query: { ...query, ...(cursor === null ? {} : { cursor }) } })
    all.push(body.uploads.map((upload: { id: string }) => upload.id))
    cursor = body.nextCursor
  } while (cursor !== null)
  return all
}

describe('listing uploads', () => {
  it('shows each of the caller’s uploads once, newest first, over pages', async () => {
    const found = await pages({ limit: '3' })
    expect(found.map((page) => page.length)).toEqual([3, 3, 1])
    expect([...found.flat()].sort()).toEqual([...ids].sort())
    const { body } = await api('listUploads')
    const times = body.uploads.map((upload: { createdAt: string }) => upload.createdAt)
    expect(times).toEqual([...times].sort().reverse())
  })

  it('shows the whole tenant’s to whoever may see them, and nobody else’s', async () => {
    const wide = createApi(app.url, app.token({ subject: 'carol', tenant: 'acme', scopes: ['uploads:tenant'] }))
    expect((await pages({}, wide)).flat()).toHaveLength(8)
  })

  it('filters by state and fingerprint together', async () => {
    expect((await pages({ fingerprint: 'file-0', state: 'uploading', limit: '2' })).flat()).toHaveLength(4)
    expect((await pages({ fingerprint: 'file-0', state: 'completed' })).flat()).toEqual([])
  })

  const id = `upl_${'0'.repeat(32)}`
  const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  it.each([
    ['no JSON', 'abc'],
    ['empty', ''],
    ['of another shape', cursorOf({ createdAt: 1 })],
    ['with a year that Postgres does not know', cursorOf(['0000-01-01T00:00:00.000Z', id])],
    ['with an instant written differently', cursorOf(['2026-11-22T10:00:00Z', id])],
    ['with another kind of id', cursorOf(['2026-11-22T10:00:00.000Z', "'; drop table uploads"])],
  ])('refuses a cursor that is %s', async (_, cursor) => {
    const reply = await api('listUploads', { query: { cursor } })
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid-request'])
  })
})
