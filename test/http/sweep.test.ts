import type { SweptUpload, Upload } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { abortUploads } from '../../server/admin/abort-uploads.ts'
import { sweepUploads } from '../../server/admin/sweep-uploads.ts'
import { claimLook } from '../../server/db/look-rows.ts'
import type { Deps } from '../../server/deps.ts'
import type { Principal } from '../../server/principal.ts'
import { forgetOldRows } from '../../server/uploads/forget-old-rows.ts'
import { type Api, createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { putOutside } from '../support/strays.ts'
import { letPass } from '../support/time-passing.ts'
import { until } from '../support/until.ts'

/* What administrators sweep and abort, what they are told of it, and whose uploads they reach. */

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())
afterEach(async () => {
  app.cloud.faults.clear()
  await sql().$executeRaw`DELETE FROM uploads`
  await sql().$executeRaw`DELETE FROM sweeps`
})

const sql = () => app.deps.db.prisma
const admin = (tenant = 'acme') => createApi(app.url, app.token({ subject: 'boss', tenant, scopes: ['admin'] }))
const caller = (tenant = 'acme') =>
  createApi(app.url, app.token({ subject: 'alice', tenant, scopes: ['uploads', 'credentials'] }))
const create = (tenant = 'acme', sizeBytes = MiB) => createFor(caller(tenant), someBytes(sizeBytes))
const stateOf = async ({ id }: Pick<Upload, 'id'>) => (await sql().upload.findUnique({ where: { id } }))?.state
const everything = () => sql().upload.findMany({ orderBy: { id: 'asc' } })

/** An upload with one stored part that is known, and nobody granted to. */
async function createHolding(tenant = 'acme'): Promise<Upload> {
  const bytes = someBytes(2 * MiB)
  const upload = await createFor(caller(tenant), bytes)
  await sendParts(caller(tenant), upload, bytes, [1])
  await caller(tenant)('getUpload', { id: upload.id, query: { reconcile: 'true' } })
  return upload
}

async function growUnseen(upload: Upload): Promise<void> {
  const { presign } = await app.deps.objects.presignParts(upload.key, upload.uploadId ?? '', 60)
  const { url, headers } = presign({ partNumber: 1, sizeBytes: MiB })
  await fetch(url, { method: 'PUT', headers, body: new Uint8Array(someBytes(MiB)) })
}

async function completeOutside(upload: Upload): Promise<void> {
  const page = await app.deps.objects.listParts(upload.key, upload.uploadId ?? '', { after: 0, limit: 1000 })
  await app.deps.objects.completeUpload(upload.key, upload.uploadId ?? '', page?.parts ?? [])
}

const sweep = async (api: Api, body: Record<string, unknown>) => {
  const reply = await api('sweepUploads', { body: { olderThanSeconds: 3600, ...body } })
  if (reply.status !== 200) throw new Error(`${reply.status} ${JSON.stringify(reply.body)}`)
  return reply.body as { sweep: Record<string, unknown>; uploads: SweptUpload[]; more: boolean }
}
const told = (uploads: readonly SweptUpload[]) =>
  Object.fromEntries(uploads.map(({ id, outcome, reason }) => [id, `${outcome}: ${reason}`]))

describe('a sweep on request', () => {
  it('gives up what is idle for so long, and says what it freed and why', async () => {
    const old = await createHolding()
    const fresh = await create()
    await letPass(app, '2 hours', [old.id])
    const { uploads, more, sweep: report } = await sweep(admin(), {})
    expect(uploads).toEqual([
      {
        id: old.id,
        tenant: 'acme',
        fileName: 'file.bin',
        storedBytes: MiB,
        outcome: 'aborted',
        reason: 'stale',
        aliveUntil: null,
      },
    ])
    expect(more).toBe(false)
    expect(report).toMatchObject({
      kind: 'sweep',
      isDryRun: false,
      by: { tenant: 'acme', subject: 'boss' },
      tenant: 'acme',
      olderThanSeconds: 3600,
      examined: 1,
      aborted: 1,
      freedBytes: MiB,
      finishedAt: expect.any(String),
    })
    expect([await stateOf(old), await stateOf(fresh)]).toEqual(['aborted', 'uploading'])
    expect((await caller()('getUpload', { id: old.id })).body.upload.abortReason).toBe('expired')
    expect(await app.deps.objects.findUploads(old.key)).toEqual([])
  })

  it('says of each upload it leaves why', async () => {
    const [granted, credited, growing, made, gone, held] = [
      await create(),
      await create(),
      await create('acme', 2 * MiB),
      await createHolding(),
      await create(),
      await create(),
    ]
    const bytes = someBytes(10)
    const whole = await createFor(caller(), bytes)
    await sendParts(caller(), whole, bytes)
    await completeOutside(whole)
    await app.deps.objects.abortUpload(gone.key, gone.uploadId ?? '')
    await letPass(app, '2 hours')
    await sql()
      .$executeRaw`UPDATE uploads SET grants_alive_until = now() + interval '1 hour' WHERE id IN (${granted.id}, ${credited.id})`
    await sql()
      .$executeRaw`UPDATE uploads SET credentials_alive_until = now() + interval '1 hour' WHERE id = ${credited.id}`
    await growUnseen(growing)
    await claimLook(sql(), held.id, 30)
    const { uploads } = await sweep(admin(), {})
    expect(told(uploads)).toEqual({
      [granted.id]: 'left: grant-alive',
      [credited.id]: 'left: credential-alive',
      [growing.id]: 'left: growing',
      [made.id]: 'aborted: stale',
      [gone.id]: 'finished: upload-gone',
      [whole.id]: 'finished: object-complete',
      [held.id]: 'left: busy',
    })
    expect(uploads.find(({ id }) => id === granted.id)?.aliveUntil).not.toBeNull()
    expect(await stateOf(whole)).toBe('completed')
  })

  it('with dryRun says the same, and changes no upload', async () => {
    const granted = await create()
    const growing = await create('acme', 2 * MiB)
    const stale = await createHolding()
    const gone = await create()
    const bytes = someBytes(10)
    const whole = await createFor(caller(), bytes)
    await sendParts(caller(), whole, bytes)
    await completeOutside(whole)
    const other = await createFor(caller(), bytes)
    await putOutside(app.cloud, other.key, other.uploadId ?? '', 1, 11)
    await completeOutside(other)
    await app.deps.objects.abortUpload(gone.key, gone.uploadId ?? '')
    await letPass(app, '2 hours')
    await sql().$executeRaw`UPDATE uploads SET grants_alive_until = now() + interval '1 hour' WHERE id = ${granted.id}`
    await growUnseen(growing)
    const before = await everything()
    app.cloud.requests.reset()
    const dry = await sweep(admin(), { dryRun: true })
    expect(await everything()).toEqual(before)
    expect(Object.keys(app.cloud.requests.all()).sort()).toEqual(['HeadObject', 'ListParts'])
    expect(dry.sweep).toMatchObject({ isDryRun: true, examined: 6, aborted: 1, freedBytes: MiB })
    const wet = await sweep(admin(), {})
    expect(told(wet.uploads)).toEqual(told(dry.uploads))
    expect(await stateOf(stale)).toBe('aborted')
    // Of other parts than were agreed, but nothing this server made.
    expect((await app.deps.objects.headObject(other.key))?.sizeBytes).toBe(11)
  })

  it('takes the longest idle first, up to the limit, and says whether to ask again', async () => {
    const uploads: Upload[] = []
    for (let index = 0; index < 5; index++) uploads.push(await create())
    for (const [index, { id }] of uploads.entries()) await letPass(app, `${10 - index} hours`, [id])
    const first = await sweep(admin(), { limit: 2 })
    expect(first.uploads.map(({ id }) => id)).toEqual(uploads.slice(0, 2).map(({ id }) => id))
    expect(first.more).toBe(true)
    const second = await sweep(admin(), { limit: 100 })
    expect([second.uploads.length, second.more]).toEqual([3, false])
  })

  it('gets past uploads that are granted to, however many they are', async () => {
    const granted = [await create(), await create(), await create()]
    const stale = await create()
    await letPass(
      app,
      '5 hours',
      granted.map(({ id }) => id),
    )
    await letPass(app, '2 hours', [stale.id])
    await sql().$executeRaw`UPDATE uploads SET grants_alive_until = now() + interval '1 hour' WHERE id <> ${stale.id}`
    expect(told((await sweep(admin(), { limit: 1 })).uploads)).toEqual({ [stale.id]: 'aborted: stale' })
  })

  it('that takes longer than a request should tells of all it came to, and that there is more', async () => {
    const all = [await createHolding(), await createHolding()]
    await letPass(app, '2 hours')
    const stuck = new Promise<never>(() => {})
    const objects: Deps['objects'] = { ...app.deps.objects, listParts: () => stuck }
    const boss = { tenant: 'acme', subject: 'boss', scopes: new Set(['admin']) } as unknown as Principal
    const input = { body: { olderThanSeconds: 3600, dryRun: true } } as unknown as Parameters<typeof sweepUploads>[2]
    const { body } = await sweepUploads({ ...app.deps, objects }, boss, input, 300)
    expect(told(body.uploads)).toEqual(Object.fromEntries(all.map(({ id }) => [id, 'failed: not-in-time'])))
    expect(body.more).toBe(true)
    expect(body.sweep).toMatchObject({ examined: 2, failed: 2 })
  })

  it('refuses an age below an hour', async () => {
    const reply = await admin()('sweepUploads', { body: { olderThanSeconds: 3599 } })
    expect([reply.status, reply.body.errors?.[0]?.pointer]).toEqual([400, '/body/olderThanSeconds'])
  })

  it('tells of what OSS gave no answer about, and does the rest', async () => {
    const stuck = await create()
    const other = await create()
    await letPass(app, '2 hours')
    const effect = { kind: 'answer', status: 403, code: 'AccessDenied' } as const
    app.cloud.faults.add({ match: { verb: 'ListParts', key: stuck.key }, effect })
    const { uploads, sweep: report } = await sweep(admin(), {})
    expect(told(uploads)).toEqual({ [stuck.id]: 'failed: storage-unavailable', [other.id]: 'aborted: stale' })
    expect(report).toMatchObject({ failed: 1, aborted: 1 })
  })
})

describe('an abort of named uploads', () => {
  const abort = async (uploads: readonly Pick<Upload, 'id'>[], api = admin(), dryRun = false) =>
    api('abortUploads', { body: { ids: uploads.map(({ id }) => id), dryRun } })

  it('gives them up whatever their age, unless somebody may still be sending', async () => {
    const fresh = await createHolding()
    await letPass(app, '16 minutes')
    const granted = await createHolding()
    const growing = await create('acme', 2 * MiB)
    await growUnseen(growing)
    const reply = await abort([granted, fresh, growing])
    expect(reply.body.uploads.map(({ id }: Upload) => id)).toEqual([granted.id, fresh.id, growing.id])
    expect(told(reply.body.uploads)).toEqual({
      [granted.id]: 'left: grant-alive',
      [fresh.id]: 'aborted: asked',
      [growing.id]: 'left: growing',
    })
    expect(reply.body.sweep).toMatchObject({ kind: 'abort', olderThanSeconds: null, examined: 3, aborted: 1, left: 2 })
    expect((await caller()('getUpload', { id: fresh.id })).body.upload.abortReason).toBe('user')
  })

  it('makes a row whose object was completed outside say so', async () => {
    const bytes = someBytes(10)
    const upload = await createFor(caller(), bytes)
    await sendParts(caller(), upload, bytes)
    await completeOutside(upload)
    expect(told((await abort([upload])).body.uploads)).toEqual({ [upload.id]: 'finished: object-complete' })
    expect(await stateOf(upload)).toBe('completed')
    expect(told((await abort([upload])).body.uploads)).toEqual({ [upload.id]: 'left: completed' })
    expect(await app.deps.objects.headObject(upload.key)).not.toBeNull()
  })

  it('says of uploads in other states how they stand, and drives on those left behind', async () => {
    const [ended, under, left, pending, elsewhere] = [
      await create(),
      await create(),
      await create(),
      await create(),
      await create(),
    ]
    await caller()('abortUpload', { id: ended.id })
    const move = (id: string, state: string, interval: string) =>
      sql().$executeRawUnsafe(
        `UPDATE uploads SET state = '${state}', due_at = now() + interval '${interval}', attempts = 0,
         abort_reason = ${state === 'aborting' ? "'user'" : 'NULL'} WHERE id = '${id}'`,
      )
    await move(under.id, 'aborting', '20 seconds')
    await move(left.id, 'aborting', '-1 second')
    await move(pending.id, 'pending', '-1 second')
    await sql().upload.update({ where: { id: elsewhere.id }, data: { bucket: 'the-former-bucket' } })
    const all = [ended, under, left, pending, elsewhere]
    const expected = {
      [ended.id]: 'left: already-aborted',
      [under.id]: 'left: busy',
      [left.id]: 'aborted: asked',
      [pending.id]: 'aborted: asked',
      [elsewhere.id]: 'left: other-bucket',
    }
    const before = await everything()
    expect(told((await abort(all, admin(), true)).body.uploads)).toEqual(expected)
    expect(await everything()).toEqual(before)
    expect(told((await abort(all)).body.uploads)).toEqual(expected)
    expect([await stateOf(left), await stateOf(pending)]).toEqual(['aborted', 'aborted'])
  })

  it('touches nothing when an id is unknown or of another tenant, and names it', async () => {
    const mine = await create()
    const theirs = await create('other')
    await letPass(app, '2 days')
    const before = await everything()
    const reply = await abort([mine, theirs, { id: `upl_${'0'.repeat(32)}` }])
    expect([reply.status, reply.body.code]).toEqual([404, 'upload-not-found'])
    expect(reply.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(['/body/ids/1', '/body/ids/2'])
    expect(await everything()).toEqual(before)
    expect(await sql().sweep.count()).toBe(0)
  })

  it('that takes longer than a request should says so of what it did not come to, and of what is still under way', async () => {
    const [quick, slow] = [await createHolding(), await createHolding()]
    await letPass(app, '1 hour')
    let release = (): void => {}
    const stuck = new Promise<void>((done) => {
      release = done
    })
    const { listParts } = app.deps.objects
    const objects: Deps['objects'] = {
      ...app.deps.objects,
      listParts: async (key, ...rest) => {
        if (key === slow.key) await stuck
        return listParts(key, ...rest)
      },
    }
    const boss = { tenant: 'acme', subject: 'boss', scopes: new Set(['admin']) } as unknown as Principal
    const input = { body: { ids: [slow.id, quick.id] } } as unknown as Parameters<typeof abortUploads>[2]
    const { body } = await abortUploads({ ...app.deps, objects }, boss, input, 2_000)
    expect(told(body.uploads)).toEqual({ [slow.id]: 'failed: not-in-time', [quick.id]: 'aborted: asked' })
    release()
    await until(async () => (await stateOf(slow)) === 'aborted')
    expect(told((await abort([slow])).body.uploads)).toEqual({ [slow.id]: 'left: already-aborted' })
  })

  it('by an administrator of all tenants reaches each', async () => {
    const uploads = [await create('one'), await create('two')]
    await letPass(app, '1 hour')
    const reply = await abort(uploads, admin('*'))
    expect(reply.body.sweep).toMatchObject({ aborted: 2, tenant: null })
  })
})

describe('another tenant’s administrator', () => {
  it('sweeps nothing of yours, and sees none of your reports', async () => {
    const mine = await create('acme')
    const theirs = await create('other')
    await letPass(app, '2 days')
    const refused = await admin('other')('sweepUploads', { body: { olderThanSeconds: 3600, tenant: 'acme' } })
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden'])
    expect(told((await sweep(admin('other'), {})).uploads)).toEqual({ [theirs.id]: 'aborted: stale' })
    expect(await stateOf(mine)).toBe('uploading')
    await sweep(admin('acme'), { dryRun: true })
    await sweep(admin('*'), { dryRun: true })
    await sweep(admin('*'), { dryRun: true, tenant: 'acme' })
    const reports = async (tenant: string) => (await admin(tenant)('listSweeps')).body.sweeps.length
    expect([await reports('other'), await reports('acme'), await reports('*')]).toEqual([1, 2, 4])
    expect((await admin('other')('listSweeps', { query: { tenant: 'acme' } })).status).toBe(403)
  })
})

describe('the reports', () => {
  it('come newest first, page by page, and a cursor of another list is refused', async () => {
    for (let index = 0; index < 5; index++) await sweep(admin(), {})
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const { body } = await admin()('listSweeps', { query: { limit: '2', ...(cursor ? { cursor } : {}) } })
      seen.push(...body.sweeps.map(({ id }: { id: string }) => id))
      cursor = body.nextCursor ?? undefined
    } while (cursor)
    expect(new Set(seen).size).toBe(5)
    const { nextCursor } = (await admin()('listSweeps', { query: { limit: '2' } })).body
    for (const [api, wrong] of [
      [admin('other'), nextCursor],
      [admin('*'), nextCursor],
      [admin(), `${nextCursor.slice(0, -2)}AA`],
      [admin(), 'made-up'],
    ] as const) {
      const reply = await api('listSweeps', { query: { cursor: wrong } })
      expect([reply.status, reply.body.code]).toEqual([400, 'invalid-request'])
    }
  })

  it('are forgotten after 30 days', async () => {
    await sweep(admin(), {})
    await sweep(admin(), {})
    const [old] = await sql().sweep.findMany()
    await sql().$executeRaw`UPDATE sweeps SET started_at = now() - interval '31 days' WHERE id = ${old?.id}`
    await forgetOldRows(app.deps)
    expect(await sql().sweep.count()).toBe(1)
  })
})

describe('an adopted upload', () => {
  it('is read, counted and given up, and never gone on with', async () => {
    const upload = await create('acme', 2 * MiB)
    await sql().upload.update({ where: { id: upload.id }, data: { adoptedAt: new Date() } })
    const parts = [{ partNumber: 1 }]
    for (const [name, body] of [
      ['grantParts', { parts }],
      ['saveCheckpoint', { parts }],
      ['completeUpload', {}],
      ['grantCredentials', undefined],
    ] as const) {
      const reply = await caller()(name, { id: upload.id, body })
      expect([name, reply.status, reply.body.code]).toEqual([name, 409, 'upload-state-conflict'])
    }
    expect((await caller()('getUpload', { id: upload.id })).status).toBe(200)
    await letPass(app, '2 days')
    expect((await sweep(admin(), {})).sweep).toMatchObject({ aborted: 1 })
  })

  it('counts every part it holds, whatever its size', async () => {
    const upload = await create('acme', 3 * MiB)
    await sql().upload.update({ where: { id: upload.id }, data: { adoptedAt: new Date() } })
    const { presign } = await app.deps.objects.presignParts(upload.key, upload.uploadId ?? '', 60)
    const { url, headers } = presign({ partNumber: 7, sizeBytes: 5 })
    await fetch(url, { method: 'PUT', headers, body: new Uint8Array(5) })
    const { body } = await caller()('getUpload', { id: upload.id, query: { reconcile: 'true' } })
    expect(body.upload).toMatchObject({ storedBytes: 5, state: 'uploading' })
  })
})

describe('what grants leave in the row', () => {
  it('is how many URLs were handed out, and when the last', async () => {
    const upload = await create('acme', 3 * MiB)
    await caller()('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }, { partNumber: 2 }] } })
    await caller()('grantParts', { id: upload.id, body: { parts: [{ partNumber: 2 }] } })
    const row = await sql().upload.findUniqueOrThrow({ where: { id: upload.id } })
    expect(row.grantedParts).toBe(3)
    await caller()('grantCredentials', { id: upload.id })
    const after = await sql().upload.findUniqueOrThrow({ where: { id: upload.id } })
    expect([after.grantedParts, after.lastGrantedAt]).toEqual([3, row.lastGrantedAt])
  })
})
