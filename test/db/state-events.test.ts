import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findUpload } from '../../server/db/upload-rows.ts'
import { forgetOldRows } from '../../server/uploads/forget-old-rows.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { sweepStale } from '../../server/uploads/sweep-stale.ts'
import { type Api, createApi, createFor, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

/* What the trigger on `uploads` leaves behind on every road through the states: an event for each step, and the tenant's numbers. */

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())
afterEach(() => app.cloud.faults.clear())

let count = 0
let tenant: string
let api: Api
beforeEach(() => {
  tenant = `tenant-${++count}`
  api = createApi(app.url, app.token({ tenant }))
})

const sql = () => app.deps.db.prisma
const usage = () => sql().tenantUsage.findUnique({ where: { tenant } })

/** The steps of the tenant's only upload, as `from → to`, with the reason where there is one. */
async function steps(): Promise<string[]> {
  const events = await sql().event.findMany({ where: { tenant }, orderBy: { id: 'asc' } })
  expect(events.every(({ kind, dueAt }) => kind === 'state-changed' && dueAt === null)).toBe(true)
  expect(new Set(events.map(({ uploadId }) => uploadId)).size).toBe(1)
  return events.map(({ detail }) => {
    const { from, to, abortReason } = detail as Record<string, string | null>
    return [from ?? 'nothing', '→', to ?? 'nothing', ...(abortReason === null ? [] : [`(${abortReason})`])].join(' ')
  })
}
const created = ['nothing → pending', 'pending → uploading']
const ended = { openUploads: 0n, bytesInFlight: 0n }

async function sent() {
  const bytes = someBytes(20)
  const upload = await createFor(api, bytes)
  await sendParts(api, upload, bytes)
  return upload
}
const complete = (id: string) => api('completeUpload', { id, body: {} })
const ageLease = (id: string) => sql().$executeRaw`UPDATE uploads SET due_at = now() WHERE id = ${id}`

describe('the events of an upload that', () => {
  it('becomes an object', async () => {
    const { id } = await sent()
    expect(await usage()).toMatchObject({ openUploads: 1n, bytesInFlight: 20n })
    await complete(id)
    expect(await steps()).toEqual([...created, 'uploading → completing', 'completing → completed'])
    expect(await usage()).toMatchObject({ ...ended, completedUploads: 1n, completedBytes: 20n, abortedUploads: 0n })
  })

  it('is an empty file', async () => {
    const upload = await createFor(api, Buffer.alloc(0), { partSizeBytes: undefined })
    await complete(upload.id)
    expect(await steps()).toEqual(['nothing → uploading', 'uploading → completing', 'completing → completed'])
    expect(await usage()).toMatchObject({ ...ended, completedUploads: 1n, completedBytes: 0n })
  })

  it('OSS refused to start', async () => {
    const effect = { kind: 'answer', status: 403, code: 'AccessDenied' } as const
    app.cloud.faults.add({ match: { verb: 'InitiateMultipartUpload' }, times: 1, effect })
    await api('createUpload', { body: { fileName: 'a', sizeBytes: 20 } })
    expect(await steps()).toEqual(['nothing → pending', 'pending → nothing'])
    expect(await usage()).toMatchObject({ ...ended, abortedUploads: 0n })
  })

  it('lacked a part when it was to be completed', async () => {
    const bytes = someBytes(20)
    const upload = await createFor(api, bytes)
    expect((await complete(upload.id)).status).toBe(409)
    expect(await steps()).toEqual([...created, 'uploading → completing', 'completing → uploading'])
    expect(await usage()).toMatchObject({ openUploads: 1n, bytesInFlight: 20n })
  })

  it('its owner gave up', async () => {
    const upload = await sent()
    await api('abortUpload', { id: upload.id })
    await api('abortUpload', { id: upload.id })
    expect(await steps()).toEqual([...created, 'uploading → aborting (user)', 'aborting → aborted (user)'])
    expect(await usage()).toMatchObject({ ...ended, completedUploads: 0n, abortedUploads: 1n })
  })

  it('has expired', async () => {
    const { id } = await sent()
    await sql().$executeRaw`UPDATE uploads SET created_at = now() - interval '8 days',
      grants_alive_until = now() - interval '1 day' WHERE id = ${id}`
    await sweepStale(app.deps)
    expect(await steps()).toEqual([...created, 'uploading → aborting (expired)', 'aborting → aborted (expired)'])
    expect(await usage()).toMatchObject({ ...ended, abortedUploads: 1n })
  })

  it('was lost at OSS', async () => {
    const upload = await sent()
    const row = await findUpload(sql(), upload.id)
    await app.deps.objects.abortUpload(upload.key, row?.ossUploadId ?? '')
    await complete(upload.id)
    await sql().$executeRaw`UPDATE uploads SET complete_sent_at = now() - interval '1 hour', due_at = now()
      WHERE id = ${upload.id} AND state = 'completing'`
    await recoverUploads(app.deps)
    const [, , ...rest] = await steps()
    expect(rest[0]).toBe('uploading → completing')
    expect(rest.slice(-2)).toEqual(['completing → aborting (upload-gone)', 'aborting → aborted (upload-gone)'])
    expect(await usage()).toMatchObject({ ...ended, abortedUploads: 1n })
  })

  it('was left half-done by a crash', async () => {
    const { id } = await sent()
    const effect = { kind: 'answer', status: 503, code: 'ServiceUnavailable' } as const
    app.cloud.faults.add({ match: { verb: 'CompleteMultipartUpload' }, effect })
    await complete(id)
    app.cloud.faults.clear()
    await ageLease(id)
    await recoverUploads(app.deps)
    expect(await steps()).toEqual([...created, 'uploading → completing', 'completing → completed'])
  })

  it('was adopted: inserted as it goes on', async () => {
    const id = `upl_${'a'.repeat(32)}`
    const file = { fileName: 'a', contentType: 'x/y', sizeBytes: 20n, partSizeBytes: 1_048_576n }
    const place = { bucket: 'b', region: 'r', key: `adopted-${tenant}`, ossUploadId: 'theirs' }
    await sql().upload.create({ data: { id, tenant, subject: 'alice', state: 'uploading', ...file, ...place } })
    // What moves no state is no news.
    await sql().$executeRaw`UPDATE uploads SET stored_bytes = 1, state = 'uploading' WHERE id = ${id}`
    expect(await steps()).toEqual(['nothing → uploading'])
    expect(await usage()).toMatchObject({ openUploads: 1n, bytesInFlight: 20n })
  })
})

describe('a change of state that is rolled back', () => {
  it('leaves neither an event nor a number', async () => {
    const { id } = await sent()
    const before = [await steps(), await usage()]
    const failing = app.deps.db.transaction(async (tx) => {
      await tx.$executeRaw`UPDATE uploads SET state = 'aborted', abort_reason = 'user' WHERE id = ${id}`
      throw new Error('rolled back')
    })
    await expect(failing).rejects.toThrow('rolled back')
    expect([await steps(), await usage()]).toEqual(before)
  })
})

describe('events that are older than 90 days', () => {
  it('are forgotten, but for those that somebody is still to be told of, or that administrators should know about', async () => {
    const event = (kind: string, days: number, dueAt: Date | null = null) =>
      sql().event.create({
        data: { kind, tenant, detail: { days }, createdAt: new Date(Date.now() - days * 86_400_000), dueAt },
      })
    await sql().$executeRaw`DELETE FROM events`
    await event('object-changed', 400)
    await event('state-changed', 400)
    await event('state-changed', 91, new Date())
    await event('state-changed', 91)
    await event('state-changed', 89)
    await event('object-changed', 1)
    await forgetOldRows(app.deps)
    const left = await sql().event.findMany({ where: { tenant }, orderBy: { id: 'asc' } })
    expect(left.map(({ kind, detail, dueAt }) => [kind, detail, dueAt !== null])).toEqual([
      ['object-changed', { days: 400 }, false],
      ['state-changed', { days: 91 }, true],
      ['state-changed', { days: 89 }, false],
      ['object-changed', { days: 1 }, false],
    ])
  })
})
