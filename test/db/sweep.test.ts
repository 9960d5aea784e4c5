import type { PartGrant, Upload } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { claimDueLooks, claimLook } from '../../server/db/look-rows.ts'
import { findUpload } from '../../server/db/upload-rows.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { lookAtDueUploads, sweepStale } from '../../server/uploads/sweep-stale.ts'
import { slowPut } from '../local-cloud/slow-put.ts'
import { type Api, createApi, createFor, MiB, partOf, putPart, sendParts, sha256Of, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { readObject } from '../support/objects.ts'
import { letPass } from '../support/time-passing.ts'

/* What the sweep and the daily look do, on several instances and while uploads go on. */

let apps: TestApp[]
let app: TestApp
let api: Api

beforeAll(async () => {
  app = await startTestApp()
  apps = [app, ...(await Promise.all([1, 2, 3].map(() => startTestApp({ beside: app }))))]
  api = createApi(app.url, app.token({ subject: 'alice' }))
})
afterAll(async () => {
  for (const one of apps.toReversed()) await one.close()
})
afterEach(async () => {
  app.cloud.faults.clear()
  await sql().$executeRaw`DELETE FROM uploads`
})

const sql = () => app.deps.db.prisma
const rowOf = async ({ id }: Pick<Upload, 'id'>) => {
  const row = await findUpload(sql(), id)
  if (!row) throw new Error('the row is gone')
  return row
}
const ids = (uploads: readonly Upload[]) => uploads.map(({ id }) => id)
const count = async (uploads: readonly Upload[], state: string) =>
  sql().upload.count({ where: { id: { in: ids(uploads) }, state } })

async function createMany(number: number, sizeBytes = MiB): Promise<Upload[]> {
  const uploads: Upload[] = []
  while (uploads.length < number) {
    const some = Array.from({ length: Math.min(10, number - uploads.length) }, () =>
      createFor(api, someBytes(sizeBytes)),
    )
    uploads.push(...(await Promise.all(some)))
  }
  return uploads
}

/** A part that OSS holds and nobody reported. */
async function growUnseen(upload: Upload): Promise<void> {
  const { presign } = await app.deps.objects.presignParts(upload.key, upload.uploadId ?? '', 60)
  const { url, headers } = presign({ partNumber: 1, sizeBytes: MiB })
  const reply = await fetch(url, { method: 'PUT', headers, body: new Uint8Array(someBytes(MiB)) })
  if (reply.status !== 200) throw new Error(await reply.text())
}

/** The parts are joined without this server's knowledge. */
async function completeOutside(upload: Upload): Promise<void> {
  const row = await rowOf(upload)
  const page = await app.deps.objects.listParts(row.key, row.ossUploadId ?? '', { after: 0, limit: 1000 })
  await app.deps.objects.completeUpload(row.key, row.ossUploadId ?? '', page?.parts ?? [])
}

/** Every loop of every instance comes round. */
async function everyLoop(): Promise<void> {
  await Promise.all(
    apps.map(async ({ deps }) => {
      await recoverUploads(deps)
      await lookAtDueUploads(deps)
      await sweepStale(deps)
    }),
  )
}

describe('an upload of 30 hours that sends a part an hour', () => {
  const hours = 30
  const longestMs = 180_000

  async function sendHourly(send: (upload: Upload, bytes: Buffer, partNumber: number) => Promise<void>) {
    const bytes = someBytes(hours * MiB)
    const upload = await createFor(api, bytes)
    const idle = await createFor(api, someBytes(10))
    const idleStates: string[] = []
    for (let hour = 1; hour <= hours; hour++) {
      await send(upload, bytes, hour)
      await letPass(app, '1 hour')
      await everyLoop()
      expect([hour, (await rowOf(upload)).state]).toEqual([hour, 'uploading'])
      idleStates.push((await rowOf(idle)).state)
    }
    // The sweeps were real ones: what did nothing meanwhile is gone, after a day and not before.
    expect(idleStates.filter((state) => state === 'uploading')).toHaveLength(23)
    expect(idleStates.at(-1)).toBe('aborted')
    const done = await api('completeUpload', { id: upload.id, body: {} })
    expect([done.status, done.body.upload?.state]).toEqual([200, 'completed'])
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
  }

  it(
    'survives hourly sweeps and daily looks',
    async () => {
      await sendHourly((upload, bytes, partNumber) => sendParts(api, upload, bytes, [partNumber]))
    },
    longestMs,
  )

  it(
    'survives when all its grants are dead by the clock and it never reports: only ListParts shows that it lives',
    async () => {
      const grants = new Map<number, PartGrant>()
      await sendHourly(async (upload, bytes, partNumber) => {
        if (grants.size === 0) {
          const parts = Array.from({ length: hours }, (_, index) => ({ partNumber: index + 1 }))
          const reply = await api('grantParts', { id: upload.id, body: { parts } })
          for (const grant of reply.body.grants) grants.set(grant.partNumber, grant)
        }
        const grant = grants.get(partNumber)
        if (!grant) throw new Error(`no grant for part ${partNumber}`)
        expect((await putPart(grant, partOf(bytes, upload, partNumber))).status).toBe(200)
      })
    },
    longestMs,
  )
})

describe('an upload whose object was made outside', () => {
  it.each([
    ['a sweep', (deps: TestApp['deps']) => sweepStale(deps)],
    ['the daily look', (deps: TestApp['deps']) => lookAtDueUploads(deps)],
  ])('is completed by %s', async (_, work) => {
    const bytes = someBytes(MiB + 5)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes)
    await completeOutside(upload)
    await letPass(app, '25 hours')
    await work(app.deps)
    expect((await rowOf(upload)).state).toBe('completed')
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
    await everyLoop()
    expect((await rowOf(upload)).state).toBe('completed')
  })
})

describe('a part that is on its way when its upload is swept', () => {
  it('lands after the abort, and is found and removed on the second look', async () => {
    const [upload] = (await createMany(1, 2 * MiB)) as [Upload]
    const query = { uploadId: upload.uploadId ?? '', partNumber: '2' }
    const late = slowPut(app.cloud.ossUrl, { key: upload.key, query, lengthBytes: MiB })
    await late.write(someBytes(MiB - 1))
    await letPass(app, '25 hours')
    expect((await sweepStale(app.deps)).aborted).toBe(1)
    expect((await rowOf(upload)).state).toBe('aborted')
    late.end(someBytes(1))
    await late.answer
    expect(await app.deps.objects.findUploads(upload.key)).toEqual([upload.uploadId])
    await recoverUploads(app.deps)
    expect(await app.deps.objects.findUploads(upload.key)).toEqual([upload.uploadId])
    await letPass(app, '61 seconds')
    await recoverUploads(app.deps)
    expect(await app.deps.objects.findUploads(upload.key)).toEqual([])
    expect((await rowOf(upload)).dueAt).not.toBeNull()
    await letPass(app, '61 seconds')
    await recoverUploads(app.deps)
    expect(await rowOf(upload)).toMatchObject({ state: 'aborted', dueAt: null })
  })
})

describe('several instances that sweep at once', () => {
  it('give each stale upload up once, and touch none that lives', async () => {
    const stale = await createMany(80)
    const granted = await createMany(15)
    const growing = await createMany(15)
    for (const upload of growing) await growUnseen(upload)
    await letPass(app, '25 hours')
    const { id } = granted[0] as Upload
    await sql().$executeRaw`
      UPDATE uploads SET grants_alive_until = now() + interval '5 minutes' WHERE id = ANY (${ids(granted)})`
    const before = await sql().upload.findMany({ where: { id: { in: ids(granted) } }, orderBy: { id: 'asc' } })
    app.cloud.requests.reset()

    const reports = await Promise.all(apps.map(({ deps }) => sweepStale(deps)))

    expect(await count(stale, 'aborted')).toBe(80)
    expect(app.cloud.requests.countAnswered('AbortMultipartUpload', 204)).toBe(80)
    expect(reports.reduce((sum, { aborted }) => sum + aborted, 0)).toBe(80)
    expect(reports.reduce((sum, { left }) => sum + left, 0)).toBe(15)
    expect(await count(growing, 'uploading')).toBe(15)
    expect(await sql().upload.findMany({ where: { id: { in: ids(granted) } }, orderBy: { id: 'asc' } })).toEqual(before)
    const events = await sql().event.groupBy({
      by: ['uploadId'],
      where: { uploadId: { in: ids(stale) }, detail: { path: ['to'], equals: 'aborting' } },
      _count: true,
    })
    expect(events.map(({ _count }) => _count)).toEqual(stale.map(() => 1))
    expect(await rowOf({ id })).toMatchObject({ reconciledAt: null })
  })

  it('never give up what is granted at the same moment', async () => {
    const uploads = await createMany(40)
    await letPass(app, '25 hours')
    const grants = async (from: TestApp, upload: Upload) => {
      const caller = createApi(from.url, from.token({ subject: 'alice' }))
      const reply = await caller('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })
      return { upload, status: reply.status }
    }
    const [granted] = await Promise.all([
      Promise.all(uploads.map((upload, index) => grants(apps[index % 4] ?? app, upload))),
      ...apps.map(({ deps }) => sweepStale(deps)),
    ])
    for (const { upload, status } of granted) {
      expect([status, (await rowOf(upload)).state]).toEqual(status === 200 ? [200, 'uploading'] : [410, 'aborted'])
    }
  })

  it('leave a row alone that somebody is looking at, and take it when its lease has run out', async () => {
    const [upload] = (await createMany(1)) as [Upload]
    await letPass(app, '25 hours')
    expect(await claimLook(sql(), upload.id, 30)).not.toBeNull()
    expect((await sweepStale(app.deps)).examined).toBe(0)
    expect(await claimLook(sql(), upload.id, 30)).toBeNull()
    await letPass(app, '31 seconds')
    expect(await lookAtDueUploads(app.deps)).toBe(1)
    expect((await rowOf(upload)).state).toBe('aborted')
  })
})

describe('the daily look', () => {
  it('asks about every open upload, on whatever instance, once', async () => {
    const uploads = await createMany(60)
    await growUnseen(uploads[0] as Upload)
    await Promise.all(apps.map(({ deps }) => lookAtDueUploads(deps)))
    app.cloud.requests.reset()
    await letPass(app, '20 hours')
    const looks = await Promise.all(apps.map(({ deps }) => lookAtDueUploads(deps)))
    expect(looks.reduce((sum, number) => sum + number, 0)).toBe(60)
    expect(app.cloud.requests.count('ListParts')).toBe(60)
    const late = await sql().$queryRaw<unknown[]>`
      SELECT FROM uploads WHERE state <> 'uploading' OR reconciled_at < now() - interval '1 minute' OR attempts > 0
        OR due_at IS NULL OR due_at > now() + interval '20 hours' OR due_at < now() + interval '17 hours'`
    expect(late).toEqual([])
    expect((await rowOf(uploads[0] as Upload)).storedBytes).toBe(MiB)
    expect(await Promise.all(apps.map(({ deps }) => lookAtDueUploads(deps)))).toEqual([0, 0, 0, 0])
  })

  it('gives each row to one of many instances, in batches', async () => {
    const uploads = await createMany(40)
    await letPass(app, '20 hours')
    const taken: string[] = []
    const takeAll = async ({ deps }: TestApp) => {
      for (;;) {
        const rows = await claimDueLooks(deps.db.prisma, deps.objects.bucket, 7, 30)
        if (rows.length === 0) return
        taken.push(...rows.map(({ id }) => id))
      }
    }
    await Promise.all(apps.map(takeAll))
    expect(taken.sort()).toEqual(ids(uploads).sort())
  })

  it('comes later each time when OSS does not answer, and keeps no other upload waiting', async () => {
    const [stuck, other] = (await createMany(2)) as [Upload, Upload]
    await letPass(app, '20 hours')
    app.cloud.faults.add({
      match: { verb: 'ListParts', key: stuck.key },
      effect: { kind: 'answer', status: 403, code: 'AccessDenied' },
    })
    const waits: number[] = []
    for (let round = 0; round < 4; round++) {
      await lookAtDueUploads(app.deps)
      const { dueAt, readAt } = await rowOf(stuck)
      waits.push(Math.round(((dueAt?.getTime() ?? 0) - readAt.getTime()) / 60_000))
      await sql().$executeRaw`UPDATE uploads SET due_at = now() WHERE id = ${stuck.id}`
    }
    expect(waits).toEqual([1, 2, 4, 8])
    expect((await rowOf(other)).reconciledAt).not.toBeNull()
    app.cloud.faults.clear()
    await lookAtDueUploads(app.deps)
    expect(await rowOf(stuck)).toMatchObject({ attempts: 0, state: 'uploading' })
  })

  it('reaches rows that an instance of an older release left without a time for it', async () => {
    const [upload] = (await createMany(1)) as [Upload]
    await sql().$executeRaw`UPDATE uploads SET due_at = NULL`
    await lookAtDueUploads(app.deps)
    expect((await rowOf(upload)).dueAt).not.toBeNull()
  })

  it('asks OSS nothing about an empty file, which has no multipart upload, and sweeps it in its time', async () => {
    const empty = await createFor(api, someBytes(0))
    expect((await rowOf(empty)).dueAt).not.toBeNull()
    app.cloud.requests.reset()
    await letPass(app, '21 hours')
    expect(await lookAtDueUploads(app.deps)).toBe(1)
    expect(app.cloud.requests.count()).toBe(0)
    await letPass(app, '4 hours')
    expect((await sweepStale(app.deps)).aborted).toBe(1)
    expect((await rowOf(empty)).state).toBe('aborted')
  })
})

describe('the report of a sweep', () => {
  it('is begun with the first upload found, and says what became of all', async () => {
    await sql().$executeRaw`DELETE FROM sweeps`
    await sweepStale(app.deps)
    expect(await sql().sweep.count()).toBe(0)
    const stale = await createMany(3)
    await growUnseen(stale[2] as Upload)
    await letPass(app, '25 hours')
    await sql().$executeRaw`UPDATE uploads SET stored_bytes = 0`
    await growUnseen(stale[1] as Upload)
    await sweepStale(app.deps)
    const [report, ...others] = await sql().sweep.findMany()
    expect(others).toEqual([])
    expect(report).toMatchObject({ kind: 'sweep', isDryRun: false, byTenant: null, tenant: null, examined: 3 })
    expect(report).toMatchObject({ aborted: 1, left: 2, finished: 0, failed: 0, freedBytes: 0n })
    expect(report?.finishedAt).not.toBeNull()
  })
})
