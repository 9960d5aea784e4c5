import type { Upload } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { FaultEffect } from '../../server/local-cloud/faults.ts'
import { createAliyunObjectStore } from '../../server/oss/aliyun-object-store.ts'
import { staticCredentials } from '../../server/oss/credential-source.ts'
import { completeUpload } from '../../server/uploads/complete-upload.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { type Api, crc64Of, createApi, createFor, MiB, partOf, sendParts, sha256Of, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { putForeignObject, putPartAround, readObject } from '../support/objects.ts'
import { completeOutside, putOutside } from '../support/strays.ts'

let app: TestApp
let second: TestApp
let api: Api
let secondApi: Api

beforeAll(async () => {
  app = await startTestApp()
  // Another server on the same database and bucket.
  second = await startTestApp({ beside: app })
  const token = app.token({ subject: 'alice', tenant: 'acme' })
  api = createApi(app.url, token)
  secondApi = createApi(second.url, token)
})
afterAll(async () => {
  await second.close()
  await app.close()
})
afterEach(() => app.cloud.faults.clear())

const rowOf = (upload: Upload) => app.deps.db.prisma.upload.findUniqueOrThrow({ where: { id: upload.id } })
const completes = () => app.cloud.requests.count('CompleteMultipartUpload')

/** The use case itself, for a caller that hangs up after `ms`: over HTTP, a caller would wait 20 s for its 202. */
function completeWithin(ms: number, upload: Upload) {
  const principal = { tenant: 'acme', subject: 'alice', scopes: new Set(['uploads'] as const), limits: {} }
  const input = { params: { id: upload.id }, query: undefined, headers: undefined, body: {} }
  return completeUpload(app.deps, principal, input, { signal: AbortSignal.timeout(ms) })
}

async function uploaded(sizeBytes = 2 * MiB + 7) {
  const bytes = someBytes(sizeBytes)
  const upload = await createFor(api, bytes)
  await sendParts(api, upload, bytes)
  return { bytes, upload }
}

describe('completing', () => {
  it('joins the parts once and answers equally, asked 50 times at once over two servers', async () => {
    const { bytes, upload } = await uploaded()
    const before = completes()
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        (index % 2 ? api : secondApi)('completeUpload', { id: upload.id, body: { crc64: crc64Of(bytes) } }),
      ),
    )
    expect(replies.map((reply) => reply.status)).toEqual(Array(50).fill(200))
    expect(new Set(replies.map((reply) => JSON.stringify(reply.body.upload))).size).toBe(1)
    expect(completes() - before).toBe(1)
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
  })

  it('forgets the part rows once the object is there', async () => {
    const { upload } = await uploaded()
    await api('saveCheckpoint', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })
    await api('completeUpload', { id: upload.id, body: {} })
    expect(await app.deps.db.prisma.uploadPart.count({ where: { uploadId: upload.id } })).toBe(0)
  })

  it('is answered the same when asked again, but not with another checksum', async () => {
    const { bytes, upload } = await uploaded()
    const first = await api('completeUpload', { id: upload.id, body: { crc64: crc64Of(bytes) } })
    expect((await api('completeUpload', { id: upload.id, body: {} })).body).toEqual(first.body)
    const other = await api('completeUpload', { id: upload.id, body: { crc64: '1' } })
    expect([other.status, other.body.code]).toEqual([409, 'part-mismatch'])
  })
})

describe('completing when the reply of OSS is lost', () => {
  const losses: [string, FaultEffect][] = [
    ['cut', { kind: 'cut', at: 'reply' }],
    ['a 500', { kind: 'answer', status: 500, code: 'InternalError', at: 'after-commit' }],
    ['an empty body', { kind: 'empty-body' }],
    ['a 200 with an Error inside', { kind: 'error-in-body', code: 'InternalError' }],
    ['a 504 in the wrong form', { kind: 'answer', status: 504, code: 'GatewayTimeout', at: 'after-commit' }],
  ]
  it.each(losses)('ends completed after %s', async (_, effect) => {
    const { bytes, upload } = await uploaded()
    app.cloud.faults.add({ match: { verb: 'CompleteMultipartUpload', key: upload.key }, times: 1, effect })
    const reply = await api('completeUpload', { id: upload.id, body: { crc64: crc64Of(bytes) } })
    expect([reply.status, reply.body.upload?.state]).toEqual([200, 'completed'])
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
  })

  it('ends completed after no reply in time', async () => {
    const { config } = app.deps
    const credentials = staticCredentials(config.oss.credentials ?? { accessKeyId: '', accessKeySecret: '' })
    const objects = createAliyunObjectStore({
      ...config.oss,
      ...config.uploads,
      credentials,
      now: app.deps.now,
      completeTimeoutMs: 300,
    })
    const impatient = await startTestApp({ beside: app, deps: { objects } })
    const { bytes, upload } = await uploaded()
    app.cloud.faults.add({
      match: { verb: 'CompleteMultipartUpload', key: upload.key },
      times: 1,
      effect: { kind: 'delay', at: 'reply', delayMs: 2000 },
    })
    const impatientApi = createApi(impatient.url, app.token({ subject: 'alice', tenant: 'acme' }))
    const reply = await impatientApi('completeUpload', { id: upload.id, body: { crc64: crc64Of(bytes) } })
    expect([reply.status, reply.body.upload?.state]).toEqual([200, 'completed'])
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
    await impatient.close()
  })

  it('ends completed when the Complete never arrived: the parts are joined again', async () => {
    const { bytes, upload } = await uploaded()
    app.cloud.faults.add({
      match: { verb: 'CompleteMultipartUpload', key: upload.key },
      times: 2,
      effect: { kind: 'answer', status: 500, code: 'InternalError' },
    })
    const reply = await api('completeUpload', { id: upload.id, body: {} })
    expect([reply.status, reply.body.upload?.state]).toEqual([200, 'completed'])
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
  })

  it('does not take a refused HeadObject for an absent object', async () => {
    const { upload } = await uploaded()
    app.cloud.faults.add({
      match: { verb: 'CompleteMultipartUpload', key: upload.key },
      times: 1,
      effect: { kind: 'cut', at: 'reply' },
    })
    app.cloud.faults.add({
      match: { verb: 'HeadObject', key: upload.key },
      effect: { kind: 'answer', status: 403, code: 'AccessDenied' },
    })
    const refused = await api('completeUpload', { id: upload.id, body: {} })
    expect([refused.status, refused.body.code]).toEqual([503, 'storage-unavailable'])
    expect(refused.headers.get('retry-after')).toMatch(/^[0-9]+$/)
    expect((await rowOf(upload)).state).toBe('completing')
    app.cloud.faults.clear()
    const reply = await api('completeUpload', { id: upload.id, body: {} })
    expect([reply.status, reply.body.upload?.state]).toEqual([200, 'completed'])
  })

  it('gives the upload up only when the object has not turned up for five minutes', async () => {
    const { upload } = await uploaded()
    // Somebody else aborts it just when our Complete is under way, and the reply is lost.
    app.cloud.faults.add({
      match: { verb: 'CompleteMultipartUpload', key: upload.key },
      effect: { kind: 'cut', at: 'start' },
    })
    const row = await rowOf(upload)
    expect((await completeWithin(500, upload)).status).toBe(202)
    await app.deps.objects.abortUpload(row.key, row.ossUploadId ?? '')
    app.cloud.faults.clear()
    expect((await completeWithin(500, upload)).status).toBe(202)
    await app.deps.db.prisma.$executeRaw`
      UPDATE uploads SET complete_sent_at = now() - interval '301 seconds', due_at = now() - interval '1 second' WHERE id = ${upload.id}`
    const gone = await api('completeUpload', { id: upload.id, body: {} })
    expect([gone.status, gone.body.code]).toEqual([410, 'upload-gone'])
    expect(await rowOf(upload)).toMatchObject({ state: 'aborted', abortReason: 'upload-gone' })
  })
})

describe('completing with parts that are missing or wrong', () => {
  it('names the missing parts, and the upload goes on', async () => {
    const bytes = someBytes(3 * MiB)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes, [2])
    const reply = await api('completeUpload', { id: upload.id, body: {} })
    expect([reply.status, reply.body.code]).toEqual([409, 'parts-missing'])
    expect(reply.body.parts).toEqual([
      { partNumber: 1, reason: 'missing' },
      { partNumber: 3, reason: 'missing' },
    ])
    await sendParts(api, upload, bytes, [1, 3])
    expect((await api('completeUpload', { id: upload.id, body: { crc64: crc64Of(bytes) } })).status).toBe(200)
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
  })

  it('is refused alike to all who ask at once, and OSS is asked once', async () => {
    const bytes = someBytes(2 * MiB)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes, [1])
    app.cloud.faults.add({ match: { verb: 'ListParts', key: upload.key }, effect: { kind: 'delay', delayMs: 300 } })
    const before = app.cloud.requests.count('ListParts')
    const replies = await Promise.all(
      Array.from({ length: 30 }, () => api('completeUpload', { id: upload.id, body: {} })),
    )
    expect(replies.map((reply) => reply.body.code)).toEqual(Array(30).fill('parts-missing'))
    expect(app.cloud.requests.count('ListParts') - before).toBeLessThanOrEqual(2)
  })

  it('keeps the checksum that was given, whoever finishes the upload', async () => {
    const { upload } = await uploaded()
    app.cloud.faults.add({
      match: { verb: 'ListParts', key: upload.key },
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
    })
    expect((await api('completeUpload', { id: upload.id, body: { crc64: '1' } })).status).toBe(503)
    app.cloud.faults.clear()
    await app.deps.db.prisma
      .$executeRaw`UPDATE uploads SET due_at = now() - interval '1 second' WHERE id = ${upload.id}`
    await recoverUploads(app.deps)
    expect((await rowOf(upload)).state).toBe('uploading')
  })

  it('refuses a checksum that the stored parts do not have, and the upload goes on', async () => {
    const { bytes, upload } = await uploaded()
    const wrong = await api('completeUpload', { id: upload.id, body: { crc64: '42' } })
    expect([wrong.status, wrong.body.code]).toEqual([409, 'part-mismatch'])
    expect((await api('completeUpload', { id: upload.id, body: { crc64: crc64Of(bytes) } })).status).toBe(200)
  })

  describe('after a false checkpoint', () => {
    const falsely = (upload: Upload) =>
      api('saveCheckpoint', { id: upload.id, body: { parts: [{ partNumber: 2, etag: 'F'.repeat(32), crc64: '1' }] } })

    it('names the part, again and again, and commits nothing', async () => {
      const { upload } = await uploaded()
      await falsely(upload)
      for (let round = 0; round < 2; round++) {
        const reply = await api('completeUpload', { id: upload.id, body: {} })
        expect([reply.status, reply.body.code]).toEqual([409, 'part-mismatch'])
        expect(reply.body.parts).toEqual([{ partNumber: 2, reason: 'etag' }])
      }
      expect((await rowOf(upload)).state).toBe('uploading')
    })

    it('is cured by a new checkpoint', async () => {
      const { bytes, upload } = await uploaded()
      await falsely(upload)
      await api('completeUpload', { id: upload.id, body: {} })
      const crc64 = crc64Of(partOf(bytes, upload, 2))
      await api('saveCheckpoint', { id: upload.id, body: { parts: [{ partNumber: 2, crc64 }] } })
      expect((await api('completeUpload', { id: upload.id, body: {} })).status).toBe(200)
    })

    it('is cured by sending the part again, even with the same bytes', async () => {
      const { bytes, upload } = await uploaded()
      await falsely(upload)
      await api('completeUpload', { id: upload.id, body: {} })
      await sendParts(api, upload, bytes, [2])
      expect((await api('completeUpload', { id: upload.id, body: {} })).status).toBe(200)
    })

    it('shows parts that OSS does not have until OSS is asked, and never completes with them', async () => {
      const bytes = someBytes(3 * MiB)
      const upload = await createFor(api, bytes)
      const claimed = await api('saveCheckpoint', {
        id: upload.id,
        body: { parts: [1, 2, 3].map((partNumber) => ({ partNumber })) },
      })
      expect(claimed.body.upload).toMatchObject({ storedPartRanges: [[1, 3]], storedBytes: 3 * MiB })
      const reconciled = await api('getUpload', { id: upload.id, query: { reconcile: 'true' } })
      expect(reconciled.body.upload).toMatchObject({ storedPartRanges: [], storedBytes: 0 })
      await sendParts(api, upload, bytes, [2])
      await api('saveCheckpoint', { id: upload.id, body: { parts: [1, 3].map((partNumber) => ({ partNumber })) } })
      expect((await api('completeUpload', { id: upload.id, body: {} })).body.code).toBe('parts-missing')
      const truth = await api('getUpload', { id: upload.id })
      expect(truth.body.upload).toMatchObject({ storedPartRanges: [[2, 2]], storedBytes: MiB })
    })
  })
})

describe('an object that is not what was agreed', () => {
  it('is deleted and the upload given up when it is ours but damaged', async () => {
    const { upload } = await uploaded()
    // The reply is lost, and meanwhile the expectation turns out different from the object: as after damage at rest.
    app.cloud.faults.add({
      match: { verb: 'CompleteMultipartUpload', key: upload.key },
      times: 1,
      effect: { kind: 'cut', at: 'reply' },
    })
    app.cloud.faults.add({
      match: { verb: 'HeadObject', key: upload.key },
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
    })
    await api('completeUpload', { id: upload.id, body: {} })
    await app.deps.db.prisma.$executeRaw`
      UPDATE uploads SET expected_crc64 = '1', due_at = now() - interval '1 second' WHERE id = ${upload.id}`
    app.cloud.faults.clear()
    const reply = await api('completeUpload', { id: upload.id, body: {} })
    expect([reply.status, reply.body.code]).toEqual([410, 'upload-gone'])
    expect(await rowOf(upload)).toMatchObject({ state: 'aborted', abortReason: 'integrity' })
    expect(await app.deps.objects.headObject(upload.key)).toBeNull()
  })

  it('is left alone and the upload given up when it is not ours', async () => {
    const { upload } = await uploaded()
    await putForeignObject(app.cloud, upload.key, Buffer.from('theirs'))
    const reply = await api('completeUpload', { id: upload.id, body: {} })
    expect([reply.status, reply.body.code]).toEqual([410, 'upload-gone'])
    expect(await rowOf(upload)).toMatchObject({ state: 'aborted', abortReason: 'key-taken' })
    expect((await readObject(app.cloud, upload.key)).toString()).toBe('theirs')
  })
})

describe('an upload whose multipart upload is gone', () => {
  it('is told from one that was completed by somebody else', async () => {
    const { bytes, upload } = await uploaded()
    const row = await rowOf(upload)
    const page = await app.deps.objects.listParts(row.key, row.ossUploadId ?? '', { after: 0, limit: 1000 })
    await app.deps.objects.completeUpload(row.key, row.ossUploadId ?? '', page?.parts ?? [])
    const reply = await api('getUpload', { id: upload.id, query: { reconcile: 'true' } })
    expect(reply.body.upload).toMatchObject({ state: 'completed', crc64: crc64Of(bytes) })
  })

  it.each(['alive', 'ended'])(
    'leaves an object of other parts that somebody made of it, credentials %s',
    async (are) => {
      const { upload } = await uploaded(7)
      const row = await rowOf(upload)
      await putOutside(app.cloud, row.key, row.ossUploadId ?? '', 1, 9)
      await completeOutside(app.cloud, row.key, row.ossUploadId ?? '')
      const life = are === 'alive' ? '1 hour' : '-1 hour'
      await app.deps.db.prisma.$executeRaw`
      UPDATE uploads SET credentials_alive_until = now() + ${life}::interval WHERE id = ${upload.id}`
      await api('getUpload', { id: upload.id, query: { reconcile: 'true' } })
      expect(await rowOf(upload)).toMatchObject({ state: 'aborted', abortReason: 'integrity' })
      await app.deps.db.prisma.$executeRaw`UPDATE uploads SET due_at = now() WHERE id = ${upload.id}`
      await recoverUploads(app.deps)
      expect(await readObject(app.cloud, upload.key)).toHaveLength(9)
    },
  )

  it('answers 410 and ends, once it was aborted behind our back', async () => {
    const { upload } = await uploaded()
    const row = await rowOf(upload)
    await app.deps.objects.abortUpload(row.key, row.ossUploadId ?? '')
    const reply = await api('listParts', { id: upload.id })
    expect([reply.status, reply.body.code]).toEqual([410, 'upload-gone'])
    expect((await api('getUpload', { id: upload.id })).body.upload).toMatchObject({
      state: 'aborted',
      abortReason: 'upload-gone',
    })
  })
})

describe('an upload that only seemed gone', () => {
  it('keeps the object that its completion elsewhere made, however late OSS shows it, and tells administrators once', async () => {
    const { bytes, upload } = await uploaded()
    const row = await rowOf(upload)
    const page = await app.deps.objects.listParts(row.key, row.ossUploadId ?? '', { after: 0, limit: 1000 })
    await app.deps.objects.completeUpload(row.key, row.ossUploadId ?? '', page?.parts ?? [])
    // For as many looks as are taken at it before the upload is given up.
    const effect = { kind: 'answer', status: 404, code: 'NoSuchKey' } as const
    app.cloud.faults.add({ match: { verb: 'HeadObject', key: row.key }, times: 3, effect })
    expect((await api('listParts', { id: upload.id })).body.code).toBe('upload-gone')
    app.cloud.faults.clear()
    const boss = createApi(app.url, app.token({ subject: 'boss', tenant: 'acme', scopes: ['admin'] }))
    const eventsLeft = async () =>
      (await boss('listEvents')).body.events.filter(({ uploadId }: { uploadId: string }) => uploadId === upload.id)
    const detail = { bucket: upload.bucket, key: row.key, reason: 'upload-gone', sizeBytes: bytes.length }
    const event = { kind: 'object-left', tenant: 'acme', uploadId: upload.id, detail }
    expect(await eventsLeft()).toEqual([{ ...event, id: expect.any(String), createdAt: expect.any(String) }])
    app.cloud.requests.reset()
    await app.deps.db.prisma
      .$executeRaw`UPDATE uploads SET due_at = now() - interval '1 second' WHERE id = ${upload.id}`
    await recoverUploads(app.deps)
    expect(app.cloud.requests.count('HeadObject')).toBe(1)
    expect(await rowOf(upload)).toMatchObject({ state: 'aborted', abortReason: 'upload-gone', dueAt: null })
    expect(await eventsLeft()).toHaveLength(1)
    expect(await readObject(app.cloud, row.key)).toEqual(bytes)
    const told = app.logLines.filter((line) => line.includes(upload.id) && line.includes('it is left'))
    expect(told).toHaveLength(1)
  })
})

describe('completing that takes longer than a request should', () => {
  it('answers 202, and goes on', async () => {
    const { upload } = await uploaded()
    app.cloud.faults.add({ match: { verb: 'ListParts', key: upload.key }, effect: { kind: 'delay', delayMs: 1000 } })
    expect(await completeWithin(200, upload)).toMatchObject({ status: 202, body: { upload: { state: 'completing' } } })
    await expect.poll(async () => (await rowOf(upload)).state, { timeout: 10_000 }).toBe('completed')
  })
})

describe('a driver whose lease ran out', () => {
  it('sends no second Complete, and undoes nothing of its successor', async () => {
    const { upload } = await uploaded()
    const before = completes()
    // The first driver waits for ListParts; meanwhile somebody takes the row over, and is still at it when the first comes back.
    app.cloud.faults.add({
      match: { verb: 'CompleteMultipartUpload', key: upload.key },
      effect: { kind: 'delay', delayMs: 2500 },
    })
    app.cloud.faults.add({
      match: { verb: 'ListParts', key: upload.key },
      times: 1,
      effect: { kind: 'delay', delayMs: 1500 },
    })
    const slow = api('completeUpload', { id: upload.id, body: {} })
    await expect.poll(async () => (await rowOf(upload)).state).toBe('completing')
    await expect.poll(() => app.cloud.faults.list().some((fault) => fault.applied === 1)).toBe(true)
    await app.deps.db.prisma
      .$executeRaw`UPDATE uploads SET due_at = now() - interval '1 second' WHERE id = ${upload.id}`
    const quick = await secondApi('completeUpload', { id: upload.id, body: {} })
    expect([quick.status, (await slow).status]).toEqual([200, 200])
    expect(completes() - before).toBe(1)
  })
})

describe('aborting', () => {
  it('leaves no object behind when the upload had become one that nobody heard of', async () => {
    const { upload } = await uploaded()
    const row = await rowOf(upload)
    const page = await app.deps.objects.listParts(row.key, row.ossUploadId ?? '', { after: 0, limit: 1000 })
    await app.deps.objects.completeUpload(row.key, row.ossUploadId ?? '', page?.parts ?? [])
    const reply = await api('abortUpload', { id: upload.id })
    expect(reply.body.upload.state).toBe('aborted')
    expect(await app.deps.objects.headObject(upload.key)).toBeNull()
  })

  it('discards the parts at OSS and answers the same when asked again', async () => {
    const { upload } = await uploaded()
    const first = await api('abortUpload', { id: upload.id })
    expect([first.status, first.body.upload.state, first.body.upload.abortReason]).toEqual([200, 'aborted', 'user'])
    expect((await api('abortUpload', { id: upload.id })).body).toEqual(first.body)
    expect(await app.deps.objects.findUploads(upload.key)).toEqual([])
  })

  it('is recorded while OSS is down, and carried out afterwards', async () => {
    const { upload } = await uploaded()
    app.cloud.faults.add({ effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' } })
    const reply = await api('abortUpload', { id: upload.id })
    expect([reply.status, reply.body.upload.state]).toEqual([200, 'aborting'])
    app.cloud.faults.clear()
    await app.deps.db.prisma
      .$executeRaw`UPDATE uploads SET due_at = now() - interval '1 second' WHERE id = ${upload.id}`
    await recoverUploads(app.deps)
    expect((await rowOf(upload)).state).toBe('aborted')
    expect(await app.deps.objects.findUploads(upload.key)).toEqual([])
  })

  it('removes a part that landed after the abort, on the second look', async () => {
    const { bytes, upload } = await uploaded()
    const late = await api('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })
    const status = await putPartAround(late.body.grants[0], partOf(bytes, upload, 1), () =>
      api('abortUpload', { id: upload.id }),
    )
    expect(status).toBe(200)
    expect(await app.deps.objects.findUploads(upload.key)).not.toEqual([])
    await app.deps.db.prisma
      .$executeRaw`UPDATE uploads SET due_at = now() - interval '1 second' WHERE id = ${upload.id}`
    await recoverUploads(app.deps)
    expect(await app.deps.objects.findUploads(upload.key)).toEqual([])
  })
})
