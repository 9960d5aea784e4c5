import type { Orphan, ResolvedOrphan, Upload } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Deps } from '../../server/deps.ts'
import { keySegment } from '../../server/uploads/object-key.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { sweepStale } from '../../server/uploads/sweep-stale.ts'
import { type Api, type ApiReply, createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { putForeignObject, readObject } from '../support/objects.ts'
import { abortOutside, beginOutside, completeOutside, isThere, putOutside } from '../support/strays.ts'

let app: TestApp
let count = 0
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())

const newTenant = () => `tenant-${++count}`
const adminOf = (tenant: string, on = app) =>
  createApi(on.url, on.token({ subject: 'boss', tenant, scopes: ['admin'] }))
const userOf = (tenant: string, on = app) =>
  createApi(on.url, on.token({ tenant, scopes: ['uploads', 'credentials', 'credentials:direct'] }))

/** Every page, one after the other. */
async function pagesOf(admin: Api, query: Record<string, string> = {}): Promise<ApiReply['body'][]> {
  const pages: ApiReply['body'][] = []
  let cursor: string | null = null
  do {
    const reply: ApiReply = await admin('listOrphans', { query: { ...query, ...(cursor ? { cursor } : {}) } })
    if (reply.status !== 200) throw new Error(`listOrphans: ${reply.status} ${JSON.stringify(reply.body)}`)
    pages.push(reply.body)
    cursor = reply.body.nextCursor
  } while (cursor)
  return pages
}
const orphansOf = async (admin: Api, query: Record<string, string> = {}): Promise<Orphan[]> =>
  (await pagesOf(admin, query)).flatMap((page) => page.orphans)

async function resolve(
  admin: Api,
  action: string,
  orphans: readonly Pick<Orphan, 'id'>[],
  dryRun = false,
): Promise<ResolvedOrphan[]> {
  const reply = await admin('resolveOrphans', { body: { action, ids: orphans.map(({ id }) => id), dryRun } })
  if (reply.status !== 200) throw new Error(`resolveOrphans: ${reply.status} ${JSON.stringify(reply.body)}`)
  return reply.body.orphans
}
const outcomes = (resolved: readonly ResolvedOrphan[]) => resolved.map(({ outcome, reason }) => [outcome, reason])

/** An upload with all its parts sent, and not completed. */
async function sent(tenant: string, on = app): Promise<Upload & { uploadId: string; bytes: Buffer }> {
  const [api, bytes] = [userOf(tenant, on), someBytes(MiB + 7)]
  const upload = await createFor(api, bytes)
  await sendParts(api, upload, bytes)
  return { ...upload, uploadId: upload.uploadId ?? '', bytes }
}

const sql = () => app.deps.db.prisma
/** As if every grant and every set of credentials had ended. */
async function endGrants(): Promise<void> {
  await sql().$executeRaw`UPDATE uploads SET grants_alive_until = now() - interval '1 second',
    credentials_alive_until = CASE WHEN credentials_alive_until IS NOT NULL THEN now() - interval '1 second' END
    WHERE grants_alive_until IS NOT NULL`
  await sql().$executeRaw`UPDATE credential_grants SET expires_at = now() - interval '1 second'`
}

/** One orphan of each kind and cause, among uploads that are none. */
async function everyKind(tenant: string) {
  const [api, key] = [userOf(tenant), (name: string) => `uploads/${keySegment(tenant)}/${name}`]
  const [open, lost, outside, done, aborted] = [
    await sent(tenant),
    await sent(tenant),
    await sent(tenant),
    await sent(tenant),
    await createFor(api, someBytes(5)),
  ]
  await sent(tenant)
  await abortOutside(app.cloud, lost.key, lost.uploadId)
  await completeOutside(app.cloud, outside.key, outside.uploadId)
  await api('completeUpload', { id: done.id, body: {} })
  await api('abortUpload', { id: aborted.id })
  await sql().$executeRaw`UPDATE uploads SET due_at = NULL WHERE id = ${aborted.id}`
  const direct = (await api('grantDirectCredentials')).body
  const directKey = `${direct.prefix}a/b.bin`
  return {
    direct,
    strays: {
      plain: { key: key('x/film.mp4'), id: await beginOutside(app.cloud, key('x/film.mp4'), [MiB, 10]) },
      empty: { key: key('y/none'), id: await beginOutside(app.cloud, key('y/none')) },
      beside: { key: open.key, id: await beginOutside(app.cloud, open.key, [3]), row: open.id },
      afterwards: { key: done.key, id: await beginOutside(app.cloud, done.key, [4]), row: done.id },
      late: { key: aborted.key, id: await beginOutside(app.cloud, aborted.key, [5]), row: aborted.id },
      direct: { key: directKey, id: await beginOutside(app.cloud, directKey, [6], direct) },
    },
    open,
    lost,
    outside,
    done,
  }
}

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
      expect(ageSeconds).toBeLessThan(120)
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
    const before = app.cloud.requests.count('ListMultipartUploads')
    await orphansOf(admin, { kind: 'direct' })
    expect(app.cloud.requests.count('ListMultipartUploads') - before).toBe(1)
  })

  it('goes on with a cursor after pages on which all agreed', async () => {
    const tenant = newTenant()
    for (let n = 0; n < 4; n++) await createFor(userOf(tenant), someBytes(3))
    const stray = await beginOutside(app.cloud, `uploads/${tenant}/~/last`, [1])
    const pages = await pagesOf(adminOf(tenant), { limit: '1' })
    expect(pages.length).toBeGreaterThan(4)
    expect(pages.flatMap(({ orphans }) => orphans.map((one: Orphan) => one.ossUploadId))).toEqual([stray])
  })

  it('has many uploads of one key on several pages, and its row once', async () => {
    const tenant = newTenant()
    const upload = await createFor(userOf(tenant), someBytes(3))
    const others: string[] = []
    for (let n = 0; n < 5; n++) others.push(await beginOutside(app.cloud, upload.key))
    const found = await orphansOf(adminOf(tenant), { limit: '2' })
    expect(found.map((one) => one.ossUploadId).sort()).toEqual(others.sort())
  })

  it('is an administrator’s of one tenant for that one alone, and of all for each', async () => {
    const [own, other] = [newTenant(), `${newTenant()}/with a slash`]
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
    await beginOutside(app.cloud, `uploads/${tenant}/bob/x`)
    expect(await orphansOf(adminOf(tenant))).toEqual([])
    expect(await orphansOf(adminOf('*'), { tenant })).toEqual([])
  })

  it('takes hostile keys as they are', async () => {
    const tenant = newTenant()
    const names = ['<script>alert(1)</script>', '\u0001\u0002"', '目录/é %2F+&', '\u202egpj.exe', '\u{1f600}']
    const keys = names.map((name) => `uploads/${tenant}/x/${name}`)
    for (const key of keys) await beginOutside(app.cloud, key, [1])
    // As clients send it that leave paths alone.
    const attributes = { contentType: 'text/plain', contentDisposition: 'attachment', metadata: {} }
    const dots = `uploads/${tenant}/x/../../..`
    await app.deps.objects.initiateUpload(dots, attributes)
    const found = await orphansOf(adminOf(tenant), { limit: '2' })
    expect(found.map((one) => one.key).sort()).toEqual([...keys, dots].sort())
    const longest = `uploads/${tenant}/${'\u0001'.repeat(1000)}`
    await beginOutside(app.cloud, longest, [1])
    const pages = await pagesOf(adminOf(tenant), { limit: '1' })
    expect(pages.flatMap((page) => page.orphans)).toHaveLength(7)
    const withParts = found.filter(({ partCount }) => partCount !== 0)
    expect(outcomes(await resolve(adminOf(tenant), 'adopt', withParts))).toEqual(names.map(() => ['adopted', 'done']))
    const bare = found.filter(({ key }) => key === dots)
    expect(outcomes(await resolve(adminOf(tenant), 'abort', bare))).toEqual([['aborted', 'done']])
  })
})

describe('what is merely in motion', () => {
  /** A server whose calls to OSS are followed by whatever happens meanwhile. */
  async function withMeanwhile(
    change: (objects: Deps['objects']) => Partial<Deps['objects']>,
    work: (on: TestApp) => Promise<void>,
  ): Promise<void> {
    const objects = { ...app.deps.objects, ...change(app.deps.objects), close: async () => {} }
    const slow = await startTestApp({ beside: app, deps: { objects } })
    await work(slow).finally(() => slow.close())
  }

  it('is not accused: an upload that is being created, whose id is not stored yet', async () => {
    const tenant = newTenant()
    app.cloud.faults.add({ match: { verb: 'InitiateMultipartUpload' }, times: 1, effect: { kind: 'cut', at: 'reply' } })
    await userOf(tenant)('createUpload', { body: { fileName: 'a', sizeBytes: 5 } })
    app.cloud.faults.clear()
    const pages = await pagesOf(adminOf(tenant))
    expect(pages.flatMap((page) => page.orphans)).toEqual([])
    expect(pages[0]?.compared).toBe(1)
  })

  it('is not accused: an upload that began after the bucket was listed, and one that ended', async () => {
    const tenant = newTenant()
    const [user, ended] = [userOf(tenant), await sent(tenant)]
    let fresh = 0
    const listUploads: Deps['objects']['listUploads'] = async (...page) => {
      const listed = await app.deps.objects.listUploads(...page)
      await createFor(user, someBytes(3))
      fresh++
      await user('completeUpload', { id: ended.id, body: {} })
      return listed
    }
    await withMeanwhile(
      () => ({ listUploads }),
      async (slow) => expect(await orphansOf(adminOf(tenant, slow), { limit: '3' })).toEqual([]),
    )
    expect(fresh).toBeGreaterThan(0)
  })

  it.each([
    ['completeUpload', 'before'],
    ['completeUpload', 'after'],
    ['abortUpload', 'before'],
    ['abortUpload', 'after'],
  ] as const)(
    'is not accused: a row that leaves by %s while OSS is asked about it, %s it answers',
    async (leave, when) => {
      const tenant = newTenant()
      const upload = await sent(tenant)
      const left = () => userOf(tenant)(leave, { id: upload.id, ...(leave === 'completeUpload' ? { body: {} } : {}) })
      let asked = 0
      await withMeanwhile(
        ({ listParts }) => ({
          // As if the list had been taken before the upload began.
          listUploads: async () => ({ uploads: [], next: null }),
          listParts: async (key, id, page) => {
            asked++
            if (when === 'before') await left()
            const parts = await listParts(key, id, page)
            if (when === 'after') await left()
            return parts
          },
        }),
        async (slow) => expect(await orphansOf(adminOf(tenant, slow))).toEqual([]),
      )
      expect(asked).toBe(1)
    },
  )

  it('is not accused: the upload of a row that was completed before the row was read, but after the list', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    await withMeanwhile(
      ({ listUploads }) => ({
        listUploads: async (...page) => {
          const listed = await listUploads(...page)
          await userOf(tenant)('completeUpload', { id: upload.id, body: {} })
          return listed
        },
      }),
      async (slow) => expect(await orphansOf(adminOf(tenant, slow))).toEqual([]),
    )
  })

  it('is not accused: a stray that is adopted while OSS is asked about it', async () => {
    const tenant = newTenant()
    await beginOutside(app.cloud, `uploads/${tenant}/x/a`, [1])
    const [orphan] = await orphansOf(adminOf(tenant))
    await withMeanwhile(
      ({ listParts }) => ({
        listParts: async (...of) => {
          if (orphan) await resolve(adminOf(tenant), 'adopt', [orphan])
          return listParts(...of)
        },
      }),
      async (slow) => expect(await orphansOf(adminOf(tenant, slow))).toEqual([]),
    )
  })

  it('is not accused: what is being aborted, or waits for its second look', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    app.cloud.faults.add({ match: { verb: 'AbortMultipartUpload' }, effect: { kind: 'cut', at: 'start' } })
    await userOf(tenant)('abortUpload', { id: upload.id })
    app.cloud.faults.clear()
    expect(await orphansOf(adminOf(tenant))).toEqual([])
    await sql().$executeRaw`UPDATE uploads SET due_at = now() WHERE id = ${upload.id}`
    await recoverUploads(app.deps)
    const late = await beginOutside(app.cloud, upload.key, [5])
    expect(await orphansOf(adminOf(tenant))).toEqual([])
    await sql().$executeRaw`UPDATE uploads SET due_at = NULL WHERE id = ${upload.id}`
    expect((await orphansOf(adminOf(tenant))).map((one) => one.ossUploadId)).toEqual([late])
  })

  it('is not accused in a storm of creates, completes and aborts', async () => {
    const tenant = newTenant()
    const [user, admin] = [userOf(tenant), adminOf(tenant)]
    let isOver = false
    const storm = async () => {
      for (let n = 0; n < 6; n++) {
        const upload = await createFor(user, someBytes(20))
        await sendParts(user, upload, someBytes(20))
        await (n % 3 === 0
          ? user('abortUpload', { id: upload.id })
          : user('completeUpload', { id: upload.id, body: {} }))
      }
    }
    const storms = Promise.all([storm(), storm(), storm()]).finally(() => {
      isOver = true
    })
    let looks = 0
    while (!isOver) {
      expect(await orphansOf(admin, { limit: '2' })).toEqual([])
      looks++
    }
    await storms
    expect(looks).toBeGreaterThan(0)
    expect(await orphansOf(admin)).toEqual([])
  })
})

describe('aborting orphans', () => {
  it('discards their parts for good, and leaves rows and objects alone', async () => {
    const tenant = newTenant()
    const { strays, done, open } = await everyKind(tenant)
    await endGrants()
    const admin = adminOf(tenant)
    const found = (await orphansOf(admin)).filter(({ kind }) => kind === 'untracked' || kind === 'direct')
    const before = app.cloud.requests.count('AbortMultipartUpload')
    expect(found.every(({ actions }) => actions.includes('abort'))).toBe(true)
    expect(outcomes(await resolve(admin, 'abort', found))).toEqual(found.map(() => ['aborted', 'done']))
    // Each until OSS knew it no more.
    expect(app.cloud.requests.count('AbortMultipartUpload') - before).toBe(2 * found.length)
    for (const { key, id } of Object.values(strays)) expect(await isThere(app.cloud, key, id)).toBe(false)
    expect(await readObject(app.cloud, done.key)).toEqual(done.bytes)
    expect(await isThere(app.cloud, open.key, open.uploadId)).toBe(true)
    expect((await userOf(tenant)('completeUpload', { id: open.id, body: {} })).status).toBe(200)
    expect((await orphansOf(admin)).map(({ kind }) => kind).sort()).toEqual(['completed-outside', 'lost'])
    expect(outcomes(await resolve(admin, 'abort', found))).toEqual(found.map(() => ['left', 'not-an-orphan']))
  })

  it('is not done while credentials or grants are alive: of a folder, of a former folder, of the key’s row', async () => {
    const tenant = newTenant()
    const { strays, open } = await everyKind(tenant)
    const admin = adminOf(tenant)
    const find = async (id: string) => (await orphansOf(admin)).filter((one) => one.ossUploadId === id)
    const [beside, direct] = [await find(strays.beside.id), await find(strays.direct.id)]
    expect(outcomes(await resolve(admin, 'abort', beside))).toEqual([['left', 'grant-alive']])
    expect(outcomes(await resolve(admin, 'abort', direct))).toEqual([['left', 'credential-alive']])
    await endGrants()
    await userOf(tenant)('grantCredentials', { id: open.id })
    expect(outcomes(await resolve(admin, 'abort', beside))).toEqual([['left', 'credential-alive']])
    // Handed out when DIRECT_PREFIX was a longer one.
    await sql().$executeRaw`UPDATE credential_grants SET expires_at = now() + interval '1 hour',
      resource = ${`partway-local/${strays.direct.key.slice(0, strays.direct.key.lastIndexOf('/'))}/*`}
      WHERE tenant = ${tenant} AND kind = 'direct'`
    expect(outcomes(await resolve(admin, 'abort', direct))).toEqual([['left', 'credential-alive']])
    await endGrants()
    for (const { key, id } of [strays.beside, strays.direct]) expect(await isThere(app.cloud, key, id)).toBe(true)
    expect(outcomes(await resolve(admin, 'abort', [...beside, ...direct]))).toEqual([
      ['aborted', 'done'],
      ['aborted', 'done'],
    ])
  })

  it('is not done to credentials’ other folders: one that only begins alike is none', async () => {
    const tenant = newTenant()
    const key = `direct/${tenant}/alice/a`
    await beginOutside(app.cloud, key, [1])
    await createApi(
      app.url,
      app.token({ tenant, subject: 'al', scopes: ['credentials:direct'] }),
    )('grantDirectCredentials')
    const [orphan] = await orphansOf(adminOf(tenant))
    expect([orphan?.credentialsAliveUntil, orphan?.actions]).toEqual([null, ['abort']])
  })

  it('is told of one that fails, and done with the others', async () => {
    const tenant = newTenant()
    for (const name of ['a', 'b', 'c']) await beginOutside(app.cloud, `uploads/${tenant}/x/${name}`, [1])
    const admin = adminOf(tenant)
    const found = await orphansOf(admin)
    const effect = { kind: 'answer', status: 503, code: 'ServiceUnavailable' } as const
    const key = found[1]?.key ?? ''
    app.cloud.faults.add({ match: { verb: 'AbortMultipartUpload', key }, effect })
    expect(outcomes(await resolve(admin, 'abort', found))).toEqual([
      ['aborted', 'done'],
      ['failed', 'storage-unavailable'],
      ['aborted', 'done'],
    ])
    app.cloud.faults.clear()
    app.cloud.faults.add({ match: { verb: 'ListParts', key }, effect })
    const reply = await admin('listOrphans')
    expect([reply.status, reply.body.code]).toEqual([503, 'storage-unavailable'])
    app.cloud.faults.clear()
    expect((await orphansOf(admin)).map((one) => one.key)).toEqual([key])
  })
})

describe('adopting orphans', () => {
  const rowOf = async (id: string | null | undefined) =>
    (await sql().$queryRaw<Record<string, unknown>[]>`SELECT * FROM uploads WHERE id = ${id}`)[0]

  it('gives them rows that are counted, and swept like others', async () => {
    const tenant = newTenant()
    const key = `uploads/${tenant}/x/film?.mp4`
    const ossUploadId = await beginOutside(app.cloud, key, [MiB, MiB, 10])
    const admin = adminOf(tenant)
    const [resolved] = await resolve(admin, 'adopt', await orphansOf(admin))
    expect(resolved).toMatchObject({ outcome: 'adopted', reason: 'done' })
    const id = resolved?.uploadId ?? ''
    expect(await rowOf(id)).toMatchObject({
      tenant,
      subject: 'adopted',
      state: 'uploading',
      file_name: 'film_.mp4',
      key,
      oss_upload_id: ossUploadId,
      size_bytes: BigInt(2 * MiB + 10),
      part_size_bytes: BigInt(MiB),
      stored_bytes: BigInt(2 * MiB + 10),
      adopted_at: expect.any(Date),
      reconciled_at: expect.any(Date),
      grants_alive_until: null,
    })
    const usage = await sql().$queryRaw<object[]>`
      SELECT open_uploads, bytes_in_flight FROM tenant_usage WHERE tenant = ${tenant}`
    expect(usage).toEqual([{ open_uploads: 1n, bytes_in_flight: BigInt(2 * MiB + 10) }])
    expect(await orphansOf(admin)).toEqual([])
    await sweepStale(app.deps)
    expect(await rowOf(id)).toMatchObject({ state: 'uploading' })
    await sql().$executeRaw`UPDATE uploads SET last_activity_at = now() - interval '2 days' WHERE id = ${id}`
    await sweepStale(app.deps)
    expect(await rowOf(id)).toMatchObject({ state: 'aborted', abort_reason: 'expired' })
    expect(await isThere(app.cloud, key, ossUploadId)).toBe(false)
  })

  it('leaves one alone that goes on growing, and counts what it holds', async () => {
    const tenant = newTenant()
    const key = `uploads/${tenant}/x/slow`
    const ossUploadId = await beginOutside(app.cloud, key, [MiB])
    const [resolved] = await resolve(adminOf(tenant), 'adopt', await orphansOf(adminOf(tenant)))
    const id = resolved?.uploadId ?? ''
    for (let partNumber = 2; partNumber <= 4; partNumber++) {
      await sql().$executeRaw`UPDATE uploads SET last_activity_at = now() - interval '25 hours' WHERE id = ${id}`
      await putOutside(app.cloud, key, ossUploadId, partNumber, MiB)
      await sweepStale(app.deps)
      const bytes = BigInt(partNumber * MiB)
      expect(await rowOf(id)).toMatchObject({ state: 'uploading', stored_bytes: bytes, size_bytes: bytes })
      const usage = await sql().$queryRaw<object[]>`SELECT bytes_in_flight FROM tenant_usage WHERE tenant = ${tenant}`
      expect(usage).toEqual([{ bytes_in_flight: bytes }])
    }
    await putOutside(app.cloud, key, ossUploadId, 5, MiB)
    const { body } = await adminOf(tenant)('abortUploads', { body: { ids: [id] } })
    expect(body.uploads).toMatchObject([{ outcome: 'left', reason: 'growing' }])
    expect(await isThere(app.cloud, key, ossUploadId)).toBe(true)
  })

  it('ends with it no other upload of its key: that is somebody else’s', async () => {
    const tenant = newTenant()
    const key = `uploads/${tenant}/x/again`
    const old = await beginOutside(app.cloud, key, [9])
    const [resolved] = await resolve(adminOf(tenant), 'adopt', await orphansOf(adminOf(tenant)))
    const id = resolved?.uploadId ?? ''
    const anew = await beginOutside(app.cloud, key, [10])
    await sql().$executeRaw`UPDATE uploads SET last_activity_at = now() - interval '25 hours' WHERE id = ${id}`
    await sweepStale(app.deps)
    expect(await rowOf(id)).toMatchObject({ state: 'aborted' })
    await sql().$executeRaw`UPDATE uploads SET due_at = now() - interval '1 second' WHERE id = ${id}`
    await recoverUploads(app.deps)
    expect(await rowOf(id)).toMatchObject({ state: 'aborted', due_at: null })
    expect([await isThere(app.cloud, key, old), await isThere(app.cloud, key, anew)]).toEqual([false, true])
  })

  it('makes one row, however many administrators ask on however many instances', async () => {
    const tenant = newTenant()
    await beginOutside(app.cloud, `uploads/${tenant}/x/a`, [9])
    const second = await startTestApp({ beside: app })
    try {
      const orphans = await orphansOf(adminOf(tenant))
      const admins = [app, second, app, second].map((on) => adminOf(tenant, on))
      const answers = (await Promise.all(admins.map((admin) => resolve(admin, 'adopt', orphans)))).flat()
      expect(outcomes(answers)).toEqual(admins.map(() => ['adopted', 'done']))
      expect(new Set(answers.map(({ uploadId }) => uploadId)).size).toBe(1)
      expect(await sql().$queryRaw`SELECT count(*)::int FROM uploads WHERE tenant = ${tenant}`).toEqual([{ count: 1 }])
      expect((await resolve(adminOf(tenant), 'adopt', orphans))[0]?.uploadId).toBe(answers[0]?.uploadId)
    } finally {
      await second.close()
    }
  })

  it('makes one row of several uploads of one key', async () => {
    const tenant = newTenant()
    for (let n = 0; n < 3; n++) await beginOutside(app.cloud, `uploads/${tenant}/x/a`, [9])
    const answers = await resolve(adminOf(tenant), 'adopt', await orphansOf(adminOf(tenant)))
    expect(outcomes(answers).sort()).toEqual([
      ['adopted', 'done'],
      ['left', 'wrong-action'],
      ['left', 'wrong-action'],
    ])
  })

  it('finds the owner in the key, by the hash of a known tenant, or not at all', async () => {
    const tenant = `${newTenant()} with blanks`
    const [known, unknown] = [keySegment(tenant), keySegment('never seen')]
    await createFor(userOf(tenant), someBytes(1))
    const keys = [`uploads/${known}/x/a`, `uploads/${unknown}/x/b`, 'uploads/no-folder', `uploads/${known}x/y`]
    for (const key of keys) await beginOutside(app.cloud, key, [1])
    const operator = adminOf('*')
    const found = (await orphansOf(operator, { kind: 'untracked' })).filter(({ key }) => keys.includes(key))
    const answers = await resolve(operator, 'adopt', found)
    const told = answers.map(({ outcome, reason }, index) => [found[index]?.key, outcome, reason])
    expect(told.sort()).toEqual(
      [
        [keys[0], 'adopted', 'done'],
        [keys[1], 'left', 'unknown-owner'],
        [keys[2], 'left', 'unknown-owner'],
        [keys[3], 'left', 'unknown-owner'],
      ].sort(),
    )
    expect(await rowOf(answers.find(({ uploadId }) => uploadId)?.uploadId)).toMatchObject({ tenant })
    const [left] = await orphansOf(adminOf('never seen'))
    expect(left && outcomes(await resolve(adminOf('never seen'), 'adopt', [left]))).toEqual([['adopted', 'done']])
  })

  it('is for strays with parts below KEY_PREFIX alone', async () => {
    const tenant = newTenant()
    const { strays, lost } = await everyKind(tenant)
    const found = await orphansOf(adminOf(tenant))
    const answers = await resolve(adminOf(tenant), 'adopt', found)
    const reason = (id: string) => answers[found.findIndex((one) => one.ossUploadId === id)]?.reason
    expect(Object.values(strays).map(({ id }) => reason(id))).toEqual([
      'done',
      'no-parts',
      'wrong-action',
      'wrong-action',
      'wrong-action',
      'wrong-action',
    ])
    expect(reason(lost.uploadId)).toBe('wrong-action')
  })
})

describe('closing orphans', () => {
  it('makes their rows say what OSS says', async () => {
    const tenant = newTenant()
    const { lost, outside } = await everyKind(tenant)
    const admin = adminOf(tenant)
    const gone = (await orphansOf(admin)).filter(({ kind }) => kind === 'lost' || kind === 'completed-outside')
    expect(outcomes(await resolve(admin, 'close', gone))).toEqual(gone.map(() => ['closed', 'done']))
    const [api, state] = [userOf(tenant), (reply: ApiReply) => [reply.body.upload.state, reply.body.upload.abortReason]]
    expect(state(await api('getUpload', { id: lost.id }))).toEqual(['aborted', 'upload-gone'])
    expect(state(await api('getUpload', { id: outside.id }))).toEqual(['completed', null])
    expect(await readObject(app.cloud, outside.key)).toEqual(outside.bytes)
    expect(outcomes(await resolve(admin, 'close', gone))).toEqual(gone.map(() => ['left', 'not-an-orphan']))
  })

  it('takes another’s object under the key for no upload of ours', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    await abortOutside(app.cloud, upload.key, upload.uploadId)
    await putForeignObject(app.cloud, upload.key, Buffer.from('theirs'))
    const [orphan] = await orphansOf(adminOf(tenant))
    expect([orphan?.kind, orphan?.storedBytes]).toEqual(['lost', null])
    await resolve(adminOf(tenant), 'close', orphan ? [orphan] : [])
    expect((await userOf(tenant)('getUpload', { id: upload.id })).body.upload.abortReason).toBe('key-taken')
    expect(String(await readObject(app.cloud, upload.key))).toBe('theirs')
  })

  it('waits for the end of credentials, whose holder may have begun anew under the key', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    const credentials = (await userOf(tenant)('grantCredentials', { id: upload.id })).body
    await abortOutside(app.cloud, upload.key, upload.uploadId)
    const anew = await beginOutside(app.cloud, upload.key, [9], credentials)
    const admin = adminOf(tenant)
    const lost = await orphansOf(admin, { kind: 'lost' })
    expect(lost.map(({ actions }) => actions)).toEqual([[]])
    expect(outcomes(await resolve(admin, 'close', lost))).toEqual([['left', 'credential-alive']])
    expect(await isThere(app.cloud, upload.key, anew)).toBe(true)
    await endGrants()
    expect(outcomes(await resolve(admin, 'close', lost))).toEqual([['closed', 'done']])
  })

  it('is no answer to what is there', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    await abortOutside(app.cloud, upload.key, upload.uploadId)
    const lost = await orphansOf(adminOf(tenant))
    await userOf(tenant)('abortUpload', { id: upload.id })
    expect(outcomes(await resolve(adminOf(tenant), 'close', lost))).toEqual([['left', 'not-an-orphan']])
    const { strays } = await everyKind(tenant)
    const found = (await orphansOf(adminOf(tenant))).filter((one) => one.ossUploadId === strays.plain.id)
    expect(outcomes(await resolve(adminOf(tenant), 'close', found))).toEqual([['left', 'wrong-action']])
  })
})

describe('a dry run', () => {
  /** All rows, and all that is in the bucket. */
  async function everything(): Promise<string> {
    const tables = ['uploads', 'upload_parts', 'events', 'tenant_usage', 'credential_grants']
    const rows = await Promise.all(
      tables.map((name) => sql().$queryRawUnsafe(`SELECT row::text FROM ${name} AS row ORDER BY 1`)),
    )
    const { uploads } = await app.deps.objects.listUploads('', { after: null, limit: 1000 })
    const parts = await Promise.all(
      uploads.map(({ key, ossUploadId }) => app.deps.objects.listParts(key, ossUploadId, { after: 0, limit: 1000 })),
    )
    return JSON.stringify([rows, uploads, parts])
  }

  it.each(['adopt', 'abort', 'close'])('of %s says what would be done, and changes nothing', async (action) => {
    const tenant = newTenant()
    await everyKind(tenant)
    await endGrants()
    const admin = adminOf(tenant)
    const found = await orphansOf(admin)
    const before = await everything()
    const planned = await resolve(admin, action, found, true)
    expect(await everything()).toBe(before)
    expect(new Set(planned.map(({ reason }) => reason))).toContain('done')
    const really = await resolve(admin, action, found)
    expect(outcomes(really)).toEqual(outcomes(planned))
    expect(await everything()).not.toBe(before)
  })
})

describe('ids and cursors', () => {
  let admin: Api
  let orphan: Orphan
  let cursor: string
  beforeAll(async () => {
    const tenant = newTenant()
    admin = adminOf(tenant)
    for (const name of ['a', 'b']) await beginOutside(app.cloud, `uploads/${tenant}/x/${name}`, [1])
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
    expect(await isThere(app.cloud, orphan.key, orphan.ossUploadId ?? '')).toBe(true)
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
