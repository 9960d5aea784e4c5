import { setTimeout as delay } from 'node:timers/promises'
import type { Upload } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { beginSweepAbort, claimLook } from '../../server/db/look-rows.ts'
import { findParts, saveClaims } from '../../server/db/part-rows.ts'
import { claimDueUpload, extendGrants, findUpload, insertUpload } from '../../server/db/upload-rows.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { restartUpload } from '../../server/uploads/start-upload.ts'
import { sweepStale } from '../../server/uploads/sweep-stale.ts'
import { type Api, createApi, createFor, MiB, sendParts, sha256Of, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { readObject } from '../support/objects.ts'

let app: TestApp
let second: TestApp
let api: Api
let secondApi: Api

beforeAll(async () => {
  app = await startTestApp()
  second = await startTestApp({ beside: app })
  const token = app.token({ subject: 'alice' })
  api = createApi(app.url, token)
  secondApi = createApi(second.url, token)
})
afterAll(async () => {
  await second.close()
  await app.close()
})
afterEach(() => app.cloud.faults.clear())

const sql = () => app.deps.db.prisma
const rowOf = async (upload: Pick<Upload, 'id'>) => {
  const row = await findUpload(sql(), upload.id)
  if (!row) throw new Error('the row is gone')
  return row
}
const expire = async () => (await sweepStale(app.deps)).aborted
const life = { ttlSeconds: 604_800, staleAfterSeconds: 86_400 }
const age = (id: string, interval: string) =>
  sql().$executeRawUnsafe(
    `UPDATE uploads SET created_at = created_at - interval '${interval}', last_activity_at = last_activity_at - interval '${interval}',
       grants_alive_until = grants_alive_until - interval '${interval}' WHERE id = '${id}'`,
  )

describe('a grant and a sweep at the same moment', () => {
  it('never both succeed', async () => {
    const outcomes = { granted: 0, expired: 0 }
    for (let round = 0; round < 40; round++) {
      const upload = await createFor(api, someBytes(10))
      await age(upload.id, '2 days')
      const held = await claimLook(sql(), upload.id, 30)
      if (!held) throw new Error('nobody else is at it')
      const [granted, expired] = await Promise.all([
        extendGrants(sql(), upload.id, { ttlSeconds: 900, parts: 1 }),
        beginSweepAbort(second.deps.db.prisma, held, { reason: 'expired', ...life }, 30),
      ])
      expect([granted === null, expired === null].filter(Boolean)).toHaveLength(1)
      if (granted) outcomes.granted++
      else outcomes.expired++
    }
    expect(outcomes.granted + outcomes.expired).toBe(40)
  })
})

describe('expiry', () => {
  it('gives up an upload idle for a day and discards its parts', async () => {
    const bytes = someBytes(2 * MiB)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes, [1])
    await api('getUpload', { id: upload.id, query: { reconcile: 'true' } })
    await age(upload.id, '25 hours')
    expect(await expire()).toBe(1)
    expect(await rowOf(upload)).toMatchObject({ state: 'aborted', abortReason: 'expired' })
    expect(await app.deps.objects.findUploads(upload.key)).toEqual([])
  })

  it('takes growth seen at OSS for activity, when the client reports nothing', async () => {
    const bytes = someBytes(2 * MiB)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes, [1])
    await age(upload.id, '25 hours')
    expect(await expire()).toBe(0)
    expect((await rowOf(upload)).state).toBe('uploading')
  })

  it('gets past uploads that cannot be given up now', async () => {
    const stuck = await createFor(api, someBytes(10))
    const after = await createFor(api, someBytes(10))
    await age(stuck.id, '30 hours')
    await age(after.id, '25 hours')
    app.cloud.faults.add({
      match: { verb: 'ListParts', key: stuck.key },
      effect: { kind: 'answer', status: 403, code: 'AccessDenied' },
    })
    expect(await expire()).toBe(1)
    expect((await rowOf(stuck)).state).toBe('uploading')
    expect((await rowOf(after)).state).toBe('aborted')
    app.cloud.faults.clear()
    expect(await expire()).toBe(0)
    // It was put off, for longer each time.
    await sql().$executeRaw`UPDATE uploads SET due_at = now() WHERE id = ${stuck.id}`
    expect(await expire()).toBe(1)
  })

  it('finds the object of an upload that was completed unseen', async () => {
    const bytes = someBytes(10)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes)
    const row = await rowOf(upload)
    const page = await app.deps.objects.listParts(row.key, row.ossUploadId ?? '', { after: 0, limit: 1000 })
    await app.deps.objects.completeUpload(row.key, row.ossUploadId ?? '', page?.parts ?? [])
    await age(upload.id, '8 days')
    expect(await expire()).toBe(0)
    expect((await rowOf(upload)).state).toBe('completed')
  })

  it('leaves the uploads of another bucket alone, and says where they are', async () => {
    const upload = await createFor(api, someBytes(10))
    await sql().upload.update({ where: { id: upload.id }, data: { bucket: 'the-former-bucket' } })
    await age(upload.id, '25 hours')
    expect(await expire()).toBe(0)
    const reply = await api('completeUpload', { id: upload.id, body: {} })
    expect([reply.status, reply.body.code]).toEqual([503, 'storage-unavailable'])
    const seen = await api('getUpload', { id: upload.id, query: { reconcile: 'true' } })
    expect([seen.status, seen.body.upload.state]).toEqual([200, 'uploading'])
  })

  it('waits for the last grant to die', async () => {
    const bytes = someBytes(10)
    const upload = await createFor(api, bytes)
    await age(upload.id, '25 hours')
    await sql().$executeRaw`UPDATE uploads SET grants_alive_until = now() + interval '1 minute' WHERE id = ${upload.id}`
    expect(await expire()).toBe(0)
    await sql().$executeRaw`UPDATE uploads SET grants_alive_until = now() - interval '1 second' WHERE id = ${upload.id}`
    expect(await expire()).toBe(1)
  })

  it('ends an upload past its whole life, however active, and grants nothing for it', async () => {
    const upload = await createFor(api, someBytes(10))
    await sql().$executeRaw`UPDATE uploads SET created_at = now() - interval '8 days' WHERE id = ${upload.id}`
    const grant = await api('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })
    expect([grant.status, grant.body.code]).toEqual([410, 'upload-expired'])
    expect(await expire()).toBe(1)
  })

  it('never grants beyond the end of an upload’s life', async () => {
    const upload = await createFor(api, someBytes(10))
    await sql().$executeRaw`
      UPDATE uploads SET created_at = now() - interval '7 days' + interval '100 seconds' WHERE id = ${upload.id}`
    const grant = await api('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })
    const leftMs = Date.parse(grant.body.grants[0].expiresAt) - Date.now()
    expect(leftMs).toBeLessThanOrEqual(100_000)
    expect(leftMs).toBeGreaterThan(80_000)
  })
})

describe('taking due rows', () => {
  it('gives each row to one of many instances', async () => {
    const ids: string[] = []
    for (let index = 0; index < 40; index++) ids.push((await createFor(api, someBytes(1))).id)
    await sql().$executeRaw`
      UPDATE uploads SET state = 'aborting', abort_reason = 'user', due_at = now() - interval '1 second' WHERE id = ANY (${ids})`
    const takenIds: string[] = []
    const takeAll = async (from: TestApp) => {
      for (;;) {
        const row = await claimDueUpload(from.deps.db.prisma, from.deps.objects.bucket, 30)
        if (!row) return
        takenIds.push(row.id)
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, index) => takeAll(index % 2 ? app : second)))
    expect([...takenIds].sort()).toEqual([...ids].sort())
    await sql().$executeRaw`UPDATE uploads SET due_at = now() - interval '1 second' WHERE id = ANY (${ids})`
    await Promise.all([recoverUploads(app.deps), recoverUploads(second.deps)])
    expect(await sql().upload.count({ where: { id: { in: ids }, state: 'aborted' } })).toBe(40)
  })

  it('leaves rows alone whose lease is alive', async () => {
    const upload = await createFor(api, someBytes(1))
    await sql().$executeRaw`
      UPDATE uploads SET state = 'aborting', abort_reason = 'user', due_at = now() + interval '20 seconds' WHERE id = ${upload.id}`
    await recoverUploads(app.deps)
    expect((await rowOf(upload)).state).toBe('aborting')
  })
})

describe('completing and aborting at the same moment', () => {
  it('ends in one of the two, and the bucket agrees', async () => {
    for (let round = 0; round < 12; round++) {
      const bytes = someBytes(100)
      const upload = await createFor(api, bytes)
      await sendParts(api, upload, bytes)
      const [complete, abort] = await Promise.all([
        api('completeUpload', { id: upload.id, body: {} }),
        secondApi('abortUpload', { id: upload.id }),
      ])
      const { state } = await rowOf(upload)
      expect(['completed', 'aborted']).toContain(state)
      if (state === 'completed') {
        expect([complete.status, abort.status]).toEqual([200, 409])
        expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
      } else {
        expect([complete.status, abort.status]).toEqual([410, 200])
        expect(await app.deps.objects.headObject(upload.key)).toBeNull()
      }
      expect(await app.deps.objects.findUploads(upload.key)).toEqual([])
    }
  })
})

describe('a create whose server was slow', () => {
  it('has its multipart upload aborted when somebody else has started the upload meanwhile', async () => {
    app.cloud.faults.add({
      match: { verb: 'InitiateMultipartUpload' },
      times: 1,
      effect: { kind: 'delay', delayMs: 1500 },
    })
    const slow = createFor(api, someBytes(10), { fingerprint: 'slow-create' })
    const row = await waitForRow('slow-create')
    await restartUpload(second.deps, row)
    const upload = await slow
    const ids = await app.deps.objects.findUploads(upload.key)
    expect(ids).toEqual([(await rowOf(upload)).ossUploadId])
  })

  it('is found by its key when the id was never stored, and ids too many are aborted', async () => {
    const row = await insertUpload(
      sql(),
      {
        id: `upl_${'ab'.repeat(16)}`,
        tenant: 'alice',
        subject: 'alice',
        fileName: 'a',
        contentType: 'text/plain',
        metadata: {},
        fingerprint: null,
        sizeBytes: 10,
        partSizeBytes: MiB,
        bucket: app.deps.objects.bucket,
        region: app.deps.objects.region,
        key: 'uploads/alice/crashed/a',
      },
      0,
    )
    const attributes = { contentType: 'text/plain', contentDisposition: 'attachment', metadata: {} }
    const first = await app.deps.objects.initiateUpload(row.key, attributes)
    await delay(5)
    await app.deps.objects.initiateUpload(row.key, attributes)
    const view = await api('getUpload', { id: row.id })
    expect(view.body.upload).toMatchObject({ state: 'uploading', uploadId: first })
    expect(await app.deps.objects.findUploads(row.key)).toEqual([first])
  })

  it('leaves nothing behind when OSS refuses it', async () => {
    app.cloud.faults.add({
      match: { verb: 'InitiateMultipartUpload' },
      times: 1,
      effect: { kind: 'answer', status: 403, code: 'AccessDenied' },
    })
    const reply = await api('createUpload', { body: { fileName: 'a', sizeBytes: 5, fingerprint: 'refused' } })
    expect([reply.status, reply.body.code]).toEqual([503, 'storage-unavailable'])
    expect(await sql().upload.count({ where: { fingerprint: 'refused' } })).toBe(0)
  })

  it('stays for recovery when it is unclear what OSS did', async () => {
    app.cloud.faults.add({
      match: { verb: 'InitiateMultipartUpload' },
      times: 1,
      effect: { kind: 'cut', at: 'reply' },
    })
    const fields = { fileName: 'a', sizeBytes: 5, fingerprint: 'unclear', resume: true }
    const lost = await api('createUpload', { body: fields })
    expect([lost.status, lost.body.code]).toEqual([503, 'storage-unavailable'])
    const again = await api('createUpload', { body: fields })
    expect([again.status, again.body.upload.state]).toEqual([200, 'uploading'])
    expect(await app.deps.objects.findUploads(again.body.upload.key)).toEqual([again.body.upload.uploadId])
  })
})

describe('checkpoints at the same moment', () => {
  it('count each part once', async () => {
    const upload = await createFor(api, someBytes(20 * MiB + 1))
    const claims = (numbers: number[]) =>
      numbers.map((partNumber) => ({ partNumber, sizeBytes: partNumber === 21 ? 1 : MiB, etag: null, crc64: null }))
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        saveClaims(
          (index % 2 ? app : second).deps.db.prisma,
          upload.id,
          claims([index + 1, 21, ((index + 7) % 20) + 1]),
        ),
      ),
    )
    expect((await rowOf(upload)).storedBytes).toBe(20 * MiB + 1)
    expect(await findParts(sql(), upload.id)).toHaveLength(21)
    expect((await api('getUpload', { id: upload.id })).body.upload.storedPartRanges).toEqual([[1, 21]])
  })
})

async function waitForRow(fingerprint: string) {
  for (;;) {
    const found = await sql().upload.findFirst({ where: { fingerprint } })
    if (found) return rowOf(found)
    await delay(10)
  }
}
