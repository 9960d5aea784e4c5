import type { Orphan } from '@partway/client/contract'
import { beforeAll, describe, expect, it } from 'vitest'
import { listOrphans } from '../../server/admin/list-orphans.ts'
import { listUploadingRows } from '../../server/db/orphan-rows.ts'
import type { Deps } from '../../server/deps.ts'
import type { Principal } from '../../server/principal.ts'
import { type Api, createFor, MiB, someBytes } from '../support/api.ts'
import { orphansOf, outcomes, pagesOf, resolve, setUpOrphans } from '../support/orphans.ts'
import { abortOutside, isThere } from '../support/strays.ts'

/* What a list of orphans shows, and what its ids and cursors are good for. */

const { app, newTenant, adminOf, userOf, begin, sql, everyKind } = setUpOrphans()

describe('the list of orphans', () => {
  it.each([1, 2, 3, 200])('finds each kind once, both ways, in pages of %i', async (limit) => {
    const tenant = newTenant()
    const { strays, lost, outside, direct } = await everyKind(tenant)
    const pages = await pagesOf(adminOf(tenant), { limit: String(limit) })
    const found: Orphan[] = pages.flatMap((page) => page.orphans)
    const expected = [
      ['untracked', strays.plain.key, strays.plain.id, null, MiB + 10, 2],
      ['untracked', strays.empty.key, strays.empty.id, null, 0, 0],
      ['untracked', strays.beside.key, strays.beside.id, strays.beside.row, 3, 1],
      ['untracked', strays.afterwards.key, strays.afterwards.id, strays.afterwards.row, 4, 1],
      ['untracked', strays.late.key, strays.late.id, strays.late.row, 5, 1],
      ['direct', strays.direct.key, strays.direct.id, null, 6, 1],
      ['lost', lost.key, lost.uploadId, lost.id, null, null],
      ['completed-outside', outside.key, outside.uploadId, outside.id, MiB + 7, null],
    ]
    const told = found.map((one) => [one.kind, one.key, one.ossUploadId, one.uploadId, one.storedBytes, one.partCount])
    expect(told.sort()).toEqual(expected.sort())
    for (const page of pages) expect(page.compared).toBeLessThanOrEqual(2 * limit)
    // Seven in the bucket's list, five rows that OSS should know, and what belongs together may be counted on two pages.
    expect(pages.reduce((sum, page) => sum + page.compared, 0)).toBe(8 + 4)
    for (const { tenant: whose, ageSeconds, startedAt } of found) {
      expect([whose, startedAt]).toEqual([tenant, expect.stringMatching(/Z$/)])
      expect(ageSeconds).toBeLessThan(2 * 3600 + 120)
    }
    const ofDirect = found.find(({ kind }) => kind === 'direct')
    expect(ofDirect?.credentialsAliveUntil).toBe(new Date(direct.expiresAt).toISOString())
    expect(ofDirect?.actions).toEqual([])
    const actions = (id: string) => found.find(({ ossUploadId }) => ossUploadId === id)?.actions
    expect(actions(strays.plain.id)).toEqual(['adopt', 'abort'])
    expect(actions(strays.empty.id)).toEqual(['abort'])
    // A grant of its key's row is alive.
    expect(actions(strays.beside.id)).toEqual([])
    expect(actions(lost.uploadId)).toEqual(['close'])
    expect(actions(outside.uploadId)).toEqual(['close'])
  })

  it('shows a kind alone, and asks OSS for nothing else', async () => {
    const tenant = newTenant()
    const { strays, lost } = await everyKind(tenant)
    const admin = adminOf(tenant)
    const ids = async (kind: string) => (await orphansOf(admin, { kind, limit: '2' })).map((one) => one.ossUploadId)
    expect(await ids('direct')).toEqual([strays.direct.id])
    expect(await ids('lost')).toEqual([lost.uploadId])
    expect(await ids('untracked')).toHaveLength(5)
    const before = app().cloud.requests.count('ListMultipartUploads')
    await orphansOf(admin, { kind: 'direct' })
    expect(app().cloud.requests.count('ListMultipartUploads') - before).toBe(1)
  })

  it('goes on with a cursor after pages on which all agreed', async () => {
    const tenant = newTenant()
    for (let n = 0; n < 4; n++) await createFor(userOf(tenant), someBytes(3))
    const stray = await begin(`uploads/${tenant}/~/last`, [1])
    const pages = await pagesOf(adminOf(tenant), { limit: '1' })
    expect(pages.length).toBeGreaterThan(4)
    expect(pages.flatMap(({ orphans }) => orphans.map((one: Orphan) => one.ossUploadId))).toEqual([stray])
  })

  it.each(['1', '2', '200'])('goes past what OSS gives no answer about, %s to a page, and counts it', async (limit) => {
    const tenant = newTenant()
    const keys = ['a', 'b', 'c'].map((name) => `uploads/${tenant}/x/${name}`)
    for (const key of keys) await begin(key, [1])
    const effect = { kind: 'answer', status: 403, code: 'AccessDenied' } as const
    for (const key of keys.slice(0, 2)) app().cloud.faults.add({ match: { verb: 'ListParts', key }, effect })
    const lines = app().logLines.length
    const pages = await pagesOf(adminOf(tenant), { limit }).finally(() => app().cloud.faults.clear())
    expect(pages.flatMap(({ orphans }) => orphans.map(({ key }: Orphan) => key))).toEqual(keys.slice(2))
    expect(pages.reduce((sum, { unanswered }) => sum + unanswered, 0)).toBe(2)
    const told = app()
      .logLines.slice(lines)
      .filter((line) => line.includes('no usable answer about'))
    expect(told.join('')).toMatch(/ListParts: 403 AccessDenied/)
    expect(told.join('')).not.toContain(tenant)
  })

  it('has many uploads of one key on several pages, and its row once', async () => {
    const tenant = newTenant()
    const upload = await createFor(userOf(tenant), someBytes(3))
    const others: string[] = []
    for (let n = 0; n < 5; n++) others.push(await begin(upload.key))
    const found = await orphansOf(adminOf(tenant), { limit: '2' })
    expect(found.map((one) => one.ossUploadId).sort()).toEqual(others.sort())
  })

  it('is an administrator’s of one tenant for that one alone, and of all for each', async () => {
    const [own, other] = [`${newTenant()}-own`, `${newTenant()}/with a slash`]
    const [mine, theirs] = [await everyKind(own), await everyKind(other)]
    const admin = adminOf(own)
    expect((await admin('listOrphans', { query: { tenant: other } })).body.code).toBe('forbidden')
    const found = await orphansOf(admin)
    expect(found).toHaveLength(8)
    expect(found.every((one) => one.tenant === own)).toBe(true)
    expect(await orphansOf(adminOf(own.slice(0, -1)))).toEqual([])
    const operator = adminOf('*')
    expect(await orphansOf(operator, { tenant: own })).toHaveLength(8)
    const hashed = await orphansOf(operator, { tenant: other })
    expect(hashed).toHaveLength(8)
    expect(new Set(hashed.map((one) => one.tenant))).toEqual(new Set([other, null]))
    const all = (await orphansOf(operator)).map((one) => one.ossUploadId)
    expect(all).toContain(mine.strays.plain.id)
    expect(all).toContain(theirs.strays.direct.id)
    // Neither sees the other's, and cannot use what the other was given.
    const [one] = found
    for (const [who, reply] of [
      ['another tenant', await adminOf(other)('resolveOrphans', { body: { action: 'abort', ids: [one?.id] } })],
      ['all tenants', await operator('resolveOrphans', { body: { action: 'abort', ids: [one?.id] } })],
    ] as const) {
      expect([who, reply.status, reply.body.errors?.[0].pointer]).toEqual([who, 400, '/body/ids/0'])
    }
  })

  it('leaves out a row of another tenant below this one’s prefix, from when KEY_PREFIX was longer', async () => {
    const tenant = newTenant()
    const upload = await createFor(userOf('bob'), someBytes(3))
    await sql().$executeRaw`UPDATE uploads SET key = ${`uploads/${tenant}/bob/x`} WHERE id = ${upload.id}`
    await begin(`uploads/${tenant}/bob/x`)
    expect(await orphansOf(adminOf(tenant))).toEqual([])
    expect(await orphansOf(adminOf('*'), { tenant })).toEqual([])
  })

  it('takes hostile keys as they are', async () => {
    const tenant = newTenant()
    const names = ['<script>alert(1)</script>', '\u0001\u0002"', '目录/é %2F+&', '\u202egpj.exe', '\u{1f600}']
    const keys = names.map((name) => `uploads/${tenant}/x/${name}`)
    for (const key of keys) await begin(key, [1])
    // As clients send it that leave paths alone.
    const attributes = { contentType: 'text/plain', contentDisposition: 'attachment', metadata: {} }
    const dots = `uploads/${tenant}/x/../../..`
    await app().deps.objects.initiateUpload(dots, attributes)
    const found = await orphansOf(adminOf(tenant), { limit: '2' })
    expect(found.map((one) => one.key).sort()).toEqual([...keys, dots].sort())
    const longest = `uploads/${tenant}/${'\u0001'.repeat(1000)}`
    await begin(longest, [1])
    const pages = await pagesOf(adminOf(tenant), { limit: '1' })
    expect(pages.flatMap((page) => page.orphans)).toHaveLength(7)
    const withParts = found.filter(({ partCount }) => partCount !== 0)
    expect(outcomes(await resolve(adminOf(tenant), 'adopt', withParts))).toEqual(names.map(() => ['adopted', 'done']))
    const bare = found.filter(({ key }) => key === dots)
    expect(outcomes(await resolve(adminOf(tenant), 'abort', bare))).toEqual([['left', 'active']])
  })
})

describe('a list whose time is up', () => {
  const query = (cursor: string | null) =>
    ({ query: cursor === null ? {} : { cursor } }) as unknown as Parameters<typeof listOrphans>[2]
  const boss = (tenant: string) => ({ tenant, subject: 'boss', scopes: new Set(['admin']) }) as unknown as Principal

  it('ends after what OSS has answered about, and goes on there', async () => {
    const tenant = newTenant()
    const keys = ['a', 'b', 'c', 'd'].map((name) => `uploads/${tenant}/x/${name}`)
    for (const key of keys) await begin(key, [1])
    const row = await createFor(userOf(tenant), someBytes(3))
    for (let n = 0; n < 3; n++) await begin(row.key)
    await abortOutside(app().cloud, row.key, row.uploadId ?? '')
    let release = (): void => {}
    const stuck = new Promise<void>((done) => {
      release = done
    })
    const { listParts } = app().deps.objects
    const objects: Deps['objects'] = {
      ...app().deps.objects,
      listParts: async (key, ...rest) => {
        if (key === keys[2]) await stuck
        return listParts(key, ...rest)
      },
    }
    const first = await listOrphans({ ...app().deps, objects }, boss(tenant), query(null), 1_000)
    release()
    // What lies behind the one that is stuck waits with it.
    const before = first.body.orphans.filter(({ key }) => key.includes('/x/')).map(({ key }) => key)
    expect(before).toEqual(keys.slice(0, 2))
    expect(first.body.nextCursor).not.toBeNull()
    const second = await listOrphans(app().deps, boss(tenant), query(first.body.nextCursor))
    const told = [...first.body.orphans, ...second.body.orphans].map(({ ossUploadId }) => ossUploadId)
    expect(told.sort()).toEqual((await orphansOf(adminOf(tenant))).map(({ ossUploadId }) => ossUploadId).sort())
  })

  it('comes to its end all the same, a suspect at a time, and misses no row among the uploads of its key', async () => {
    const tenant = newTenant()
    const row = await createFor(userOf(tenant), someBytes(3))
    for (let n = 0; n < 3; n++) await begin(row.key)
    await abortOutside(app().cloud, row.key, row.uploadId ?? '')
    for (const name of ['a', 'b']) await begin(`uploads/${tenant}/x/${name}`, [1])
    const told: unknown[] = []
    let cursor: string | null = null
    let compared = 0
    let pages = 0
    do {
      const reply: Awaited<ReturnType<typeof listOrphans>> = await listOrphans(
        app().deps,
        boss(tenant),
        query(cursor),
        0,
      )
      told.push(...reply.body.orphans.map(({ ossUploadId }) => ossUploadId))
      compared += reply.body.compared
      cursor = reply.body.nextCursor
      pages++
    } while (cursor !== null)
    expect(told).toHaveLength(6)
    expect(new Set(told).size).toBe(6)
    expect(compared).toBe(6)
    expect(pages).toBeGreaterThan(4)
  })
})

describe('a foreign key with a NUL, which Postgres cannot be asked about,', () => {
  it('bounds the rows of a page where its bytes lie', async () => {
    const tenant = newTenant()
    const prefix = `uploads/${tenant}/`
    const keys = ['a', 'a\u0001', 'a!', 'ab', 'b'].map((end) => `${prefix}${end}`)
    for (const key of keys) {
      const { id } = await createFor(userOf(tenant), someBytes(3))
      await sql().$executeRaw`UPDATE uploads SET key = ${key} WHERE id = ${id}`
    }
    const found = async (after: string | null, upTo: string | null) =>
      (await listUploadingRows(sql(), app().deps.objects.bucket, { prefix, after, upTo }, null, 10)).map(
        ({ key }) => key,
      )
    for (const foreign of ['a\0', 'a\0z', 'a!\0', 'a!b\0', '\0', 'c\0'].map((end) => `${prefix}${end}`)) {
      const isUpTo = (key: string) => Buffer.compare(Buffer.from(key), Buffer.from(foreign)) <= 0
      expect([foreign, await found(null, foreign)]).toEqual([foreign, keys.filter(isUpTo)])
      expect([foreign, await found(foreign, null)]).toEqual([foreign, keys.filter((key) => !isUpTo(key))])
    }
  })
})

describe('ids and cursors', () => {
  let admin: Api
  let orphan: Orphan
  let cursor: string
  beforeAll(async () => {
    const tenant = newTenant()
    admin = adminOf(tenant)
    for (const name of ['a', 'b']) await begin(`uploads/${tenant}/x/${name}`, [1])
    const reply = await admin('listOrphans', { query: { limit: '1' } })
    orphan = reply.body.orphans[0]
    cursor = reply.body.nextCursor
  })

  const changed = (text: string) =>
    [4, 5, 20, 26, 30, 40, text.length - 1].map((at) => {
      const other = text[at] === 'A' ? 'B' : 'A'
      return text.slice(0, at) + other + text.slice(at + 1)
    })

  it('are refused when they were tampered with, or made up', async () => {
    const made = Buffer.from(JSON.stringify(['x', 'y'])).toString('base64url')
    for (const id of [...changed(orphan.id), `orp_${made}`, `orp_${cursor}`, `${orphan.id}A`, orphan.id.slice(0, -2)]) {
      const reply = await admin('resolveOrphans', { body: { action: 'abort', ids: [orphan.id, id] } })
      expect([id, reply.status, reply.body.errors?.[0].pointer]).toEqual([id, 400, '/body/ids/1'])
    }
    for (const id of ['', 'orp_', 'orp_*', 'upl_0', null, 7]) {
      expect((await admin('resolveOrphans', { body: { action: 'abort', ids: [id] } })).status).toBe(400)
    }
    for (const text of [...changed(cursor), made, orphan.id.slice(4), `${cursor}A`, cursor.slice(0, -2), '*']) {
      const reply = await admin('listOrphans', { query: { limit: '1', cursor: text } })
      expect([text, reply.status, reply.body.errors?.[0].pointer]).toEqual([text, 400, '/query/cursor'])
    }
    // Nothing was done with the good one beside a bad one.
    expect(await isThere(app().cloud, orphan.key, orphan.ossUploadId ?? '')).toBe(true)
  })

  it('are good for nothing but what they were given for', async () => {
    const elsewhere: [Api, Record<string, string>][] = [
      [admin, { kind: 'untracked' }],
      [adminOf('*'), {}],
      [adminOf(newTenant()), {}],
    ]
    for (const [who, query] of elsewhere) {
      expect((await who('listOrphans', { query: { ...query, cursor } })).status).toBe(400)
    }
    expect((await admin('listOrphans', { query: { cursor, limit: '7' } })).status).toBe(200)
  })

  it('ask for the scope admin, at most 50 at once and each once', async () => {
    const user = userOf(newTenant())
    expect((await user('listOrphans')).status).toBe(403)
    expect((await user('resolveOrphans', { body: { action: 'abort', ids: [orphan.id] } })).status).toBe(403)
    const ids = Array.from({ length: 51 }, (_, n) => `orp_${n}`)
    expect((await admin('resolveOrphans', { body: { action: 'abort', ids } })).status).toBe(400)
    expect((await admin('resolveOrphans', { body: { action: 'abort', ids: [orphan.id, orphan.id] } })).status).toBe(400)
    for (const limit of ['0', '1001', 'x']) expect((await admin('listOrphans', { query: { limit } })).status).toBe(400)
  })
})
