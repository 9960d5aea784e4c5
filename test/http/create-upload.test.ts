import type { PartGrant, Upload } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Api,
  crc64Of,
  createApi,
  createFor,
  MiB,
  md5Of,
  putPart,
  sendParts,
  sha256Of,
  someBytes,
} from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { headObject, readObject } from '../support/objects.ts'

let app: TestApp
let api: Api

beforeAll(async () => {
  app = await startTestApp()
  api = createApi(app.url, app.token({ subject: 'alice', tenant: 'acme' }))
})
afterAll(() => app.close())

const rowsOf = (fingerprint: string) => app.deps.db.prisma.upload.count({ where: { fingerprint } })

describe('creating an upload', () => {
  it('answers 201 with the plan, the key and grants for the asked parts', async () => {
    const bytes = someBytes(2 * MiB + 5)
    const reply = await api('createUpload', {
      body: {
        fileName: 'film.mp4',
        sizeBytes: bytes.length,
        contentType: 'video/mp4',
        partSizeBytes: MiB,
        parts: [{ partNumber: 1 }, { partNumber: 3, md5: md5Of(bytes.subarray(2 * MiB)) }],
      },
    })
    expect(reply.status).toBe(201)
    expect(reply.body.upload).toMatchObject({
      state: 'uploading',
      fileName: 'film.mp4',
      contentType: 'video/mp4',
      sizeBytes: bytes.length,
      partSizeBytes: MiB,
      partCount: 3,
      storedPartRanges: [],
      storedBytes: 0,
      etag: null,
    })
    expect(reply.body.upload.key).toMatch(/^uploads\/acme\/[0-9a-f]{32}\/film\.mp4$/)
    expect(reply.body.grants.map((grant: PartGrant) => [grant.partNumber, grant.sizeBytes])).toEqual([
      [1, MiB],
      [3, 5],
    ])
    expect(reply.body.grants[0].headers).toEqual({})
    expect(reply.body.grants[1].headers).toEqual({ 'Content-MD5': md5Of(bytes.subarray(2 * MiB)) })
  })

  it('grants exactly the part, its length and its MD5: anything else is refused by OSS', async () => {
    const bytes = someBytes(MiB + 10)
    const { grants } = (
      await api('createUpload', {
        body: {
          fileName: 'a',
          sizeBytes: bytes.length,
          partSizeBytes: MiB,
          parts: [{ partNumber: 2, md5: md5Of(bytes.subarray(MiB)) }],
        },
      })
    ).body
    const [grant] = grants as [PartGrant]
    const tail = bytes.subarray(MiB)
    expect((await putPart(grant, tail.subarray(1))).status).toBe(403)
    expect((await putPart({ ...grant, headers: {} }, tail)).status).toBe(403)
    expect((await putPart({ ...grant, headers: { 'Content-MD5': md5Of(Buffer.from('x')) } }, tail)).status).toBe(403)
    expect((await putPart({ ...grant, url: grant.url.replace('partNumber=2', 'partNumber=1') }, tail)).status).toBe(403)
    expect((await putPart(grant, Buffer.from(tail).fill(0))).status).toBe(400)
    expect((await putPart(grant, tail)).status).toBe(200)
  })

  it.each([
    ['an empty file', 0],
    ['one byte', 1],
    ['a part less one byte', MiB - 1],
    ['exactly a part', MiB],
    ['a part and one byte', MiB + 1],
  ])('takes %s all the way to an object with equal bytes', async (_, sizeBytes) => {
    const bytes = someBytes(sizeBytes)
    const upload = await createFor(api, bytes)
    if (sizeBytes > 0) await sendParts(api, upload, bytes)
    const done = await api('completeUpload', { id: upload.id, body: { crc64: crc64Of(bytes) } })
    expect(done.status).toBe(200)
    expect(done.body.upload).toMatchObject({ state: 'completed', crc64: crc64Of(bytes), storedBytes: sizeBytes })
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
  })

  it.each(['../a', 'a*b?.mp4', '目录 é.bin', 'x'.repeat(1024), '"quoted\\"', '..', '😀.png', "it's (1)!~.txt"])(
    'uploads a file named %j and gives its true name back',
    async (fileName) => {
      const bytes = someBytes(10)
      const upload = await createFor(api, bytes, { fileName })
      await sendParts(api, upload, bytes)
      const done = await api('completeUpload', { id: upload.id, body: {} })
      expect(done.body.upload).toMatchObject({ state: 'completed', fileName })
      const head = await headObject(app.cloud, upload.key)
      expect(head['content-disposition']).toContain(
        `filename*=UTF-8''${encodeURIComponent(fileName).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`,
      )
    },
  )

  it('keeps content type and metadata with the object', async () => {
    const bytes = someBytes(3)
    const upload = await createFor(api, bytes, {
      contentType: 'text/plain; charset=utf-8',
      metadata: { album: 'summer 2026', 'x-1': '~!@#' },
    })
    expect(upload.metadata).toEqual({ album: 'summer 2026', 'x-1': '~!@#' })
    await sendParts(api, upload, bytes)
    await api('completeUpload', { id: upload.id, body: {} })
    expect(await headObject(app.cloud, upload.key)).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-oss-meta-album': 'summer 2026',
      'x-oss-meta-x-1': '~!@#',
      'x-oss-meta-partway-upload': upload.id,
    })
  })

  it('refuses metadata that would not fit into the request to OSS', async () => {
    const metadata = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`m${index}`, 'x']))
    const reply = await api('createUpload', { body: { fileName: 'a', sizeBytes: 5, metadata } })
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid-request'])
  })

  it('takes as much metadata as it promises', async () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`name-${100 + index}`, 'x'.repeat(14)]),
    )
    const bytes = someBytes(1)
    const upload = await createFor(api, bytes, { metadata })
    await sendParts(api, upload, bytes)
    expect((await api('completeUpload', { id: upload.id, body: {} })).status).toBe(200)
    expect(await headObject(app.cloud, upload.key)).toMatchObject({ 'x-oss-meta-name-299': 'x'.repeat(14) })
  })

  it('plans a file of more than 10,000 × 8 MiB with larger parts', async () => {
    const sizeBytes = 10_000 * 8 * MiB + 1
    const reply = await api('createUpload', { body: { fileName: 'big', sizeBytes, parts: [{ partNumber: 8889 }] } })
    expect(reply.status).toBe(201)
    expect(reply.body.upload).toMatchObject({ partSizeBytes: 9 * MiB, partCount: 8889 })
  })

  it('refuses a file beyond what OSS can hold', async () => {
    const reply = await api('createUpload', { body: { fileName: 'big', sizeBytes: 53_687_091_200_001 } })
    expect([reply.status, reply.body.code]).toEqual([413, 'file-too-large'])
  })

  it('refuses a part that the plan does not have, naming it, and creates nothing', async () => {
    const before = await app.deps.db.prisma.upload.count()
    const reply = await api('createUpload', {
      body: { fileName: 'a', sizeBytes: 5, parts: [{ partNumber: 1 }, { partNumber: 2 }] },
    })
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid-request'])
    expect(reply.body.errors).toEqual([{ detail: expect.any(String), pointer: '/body/parts/1/partNumber' }])
    expect(await app.deps.db.prisma.upload.count()).toBe(before)
  })

  it('holds the token’s own limits', async () => {
    const limited = createApi(
      app.url,
      app.token({ subject: 'bob', limits: { maxSizeBytes: 100, contentTypes: ['image/*'] } }),
    )
    const tooLarge = await limited('createUpload', {
      body: { fileName: 'a', sizeBytes: 101, contentType: 'image/png' },
    })
    expect([tooLarge.status, tooLarge.body.code]).toEqual([413, 'file-too-large'])
    const wrongType = await limited('createUpload', { body: { fileName: 'a', sizeBytes: 1, contentType: 'text/html' } })
    expect([wrongType.status, wrongType.body.code]).toEqual([422, 'content-type-not-allowed'])
  })
})

describe('an idempotency key', () => {
  const create = (key: string, body: Record<string, unknown>) =>
    api('createUpload', { body, headers: { 'idempotency-key': key } })

  it('makes a repeated create answer with the same upload', async () => {
    const body = { fileName: 'a', sizeBytes: 5, metadata: { a: '1', b: '2' } }
    const first = await create('key-1', body)
    const again = await create('key-1', { metadata: { b: '2', a: '1' }, sizeBytes: 5, fileName: 'a' })
    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body.upload.id).toBe(first.body.upload.id)
  })

  it('refuses another body under the same key', async () => {
    await create('key-2', { fileName: 'a', sizeBytes: 5 })
    const other = await create('key-2', { fileName: 'a', sizeBytes: 6 })
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused'])
  })

  it('makes one upload of 20 creates at once', async () => {
    const body = { fileName: 'a', sizeBytes: 5, fingerprint: 'racing-key' }
    const replies = await Promise.all(Array.from({ length: 20 }, () => create('key-3', body)))
    expect(new Set(replies.map((reply) => reply.body.upload.id)).size).toBe(1)
    expect(replies.filter((reply) => reply.status === 201)).toHaveLength(1)
    expect(await rowsOf('racing-key')).toBe(1)
  })

  it('belongs to its owner, and is free again after 24 hours', async () => {
    const body = { fileName: 'a', sizeBytes: 5 }
    const mine = await create('key-4', body)
    const bob = createApi(app.url, app.token({ subject: 'bob', tenant: 'acme' }))
    const theirs = await bob('createUpload', { body, headers: { 'idempotency-key': 'key-4' } })
    expect(theirs.status).toBe(201)
    await app.deps.db.prisma.$executeRaw`
      UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE upload_id = ${mine.body.upload.id}`
    const later = await create('key-4', body)
    expect(later.status).toBe(201)
    expect(later.body.upload.id).not.toBe(mine.body.upload.id)
  })
})

describe('an idempotency key together with resume', () => {
  const fields = { fileName: 'a', sizeBytes: 5, resume: true, fingerprint: 'key-and-resume' }
  const create = (key: string, body: Record<string, unknown> = fields) =>
    api('createUpload', { body, headers: { 'idempotency-key': key } })

  it('is bound to the upload that was found', async () => {
    const first = await create('bound-1')
    const resumed = await create('bound-2')
    expect([first.status, resumed.status]).toEqual([201, 200])
    expect(resumed.body.upload.id).toBe(first.body.upload.id)
    const other = await create('bound-2', { ...fields, fileName: 'b' })
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused'])
    await api('abortUpload', { id: first.body.upload.id })
    const repeated = await create('bound-2')
    expect([repeated.status, repeated.body.upload.id]).toEqual([200, first.body.upload.id])
    expect((await create('bound-3')).status).toBe(201)
  })
})

describe('resuming by fingerprint', () => {
  const start = (fields: Record<string, unknown>) =>
    api('createUpload', { body: { fileName: 'a', sizeBytes: 3 * MiB, partSizeBytes: MiB, resume: true, ...fields } })

  it('answers with the open upload of the same file, and grants for it', async () => {
    const first = await start({ fingerprint: 'file-1' })
    const again = await start({ fingerprint: 'file-1', fileName: 'renamed', parts: [{ partNumber: 2 }] })
    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body.upload).toMatchObject({ id: first.body.upload.id, fileName: 'a' })
    expect(again.body.grants).toHaveLength(1)
  })

  it('finds an upload that was created without asking for it', async () => {
    const first = await start({ fingerprint: 'file-2', resume: false })
    const again = await start({ fingerprint: 'file-2' })
    expect(again.body.upload.id).toBe(first.body.upload.id)
  })

  it('gives no grants when the stored part size is not the asked one', async () => {
    const first = await start({ fingerprint: 'file-3' })
    const again = await start({ fingerprint: 'file-3', partSizeBytes: 2 * MiB, parts: [{ partNumber: 1 }] })
    expect(again.body.upload).toMatchObject({ id: first.body.upload.id, partSizeBytes: MiB })
    expect(again.body.grants).toEqual([])
  })

  it('starts anew for another size, another owner, and after the upload has ended', async () => {
    const first = await start({ fingerprint: 'file-4' })
    const otherSize = await start({ fingerprint: 'file-4', sizeBytes: 3 * MiB + 1 })
    const bob = createApi(app.url, app.token({ subject: 'bob', tenant: 'acme' }))
    const otherOwner = await bob('createUpload', {
      body: { fileName: 'a', sizeBytes: 3 * MiB, resume: true, fingerprint: 'file-4' },
    })
    await api('abortUpload', { id: first.body.upload.id })
    const afterEnd = await start({ fingerprint: 'file-4' })
    const ids = [first, otherSize, otherOwner, afterEnd].map((reply) => reply.body.upload.id)
    expect(new Set(ids).size).toBe(4)
  })

  it('makes one upload of 20 racing creates, one multipart upload at OSS, and answers all of them with it', async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => start({ fingerprint: 'file-5', parts: [{ partNumber: 1 }] })),
    )
    const uploads = replies.map((reply) => reply.body.upload as Upload)
    expect(new Set(uploads.map((upload) => upload.id)).size).toBe(1)
    expect(new Set(uploads.map((upload) => upload.uploadId)).size).toBe(1)
    expect(replies.every((reply) => reply.body.grants.length === 1)).toBe(true)
    expect(await app.deps.objects.findUploads(uploads[0]?.key ?? '')).toHaveLength(1)
  })

  it('counts as activity: the upload taken up is not swept away', async () => {
    const first = await start({ fingerprint: 'file-7' })
    await app.deps.db.prisma.$executeRaw`
      UPDATE uploads SET last_activity_at = now() - interval '2 days' WHERE id = ${first.body.upload.id}`
    const again = await start({ fingerprint: 'file-7' })
    expect(again.body.upload.id).toBe(first.body.upload.id)
    expect(Date.parse(again.body.upload.expiresAt)).toBeGreaterThan(Date.now() + 3_600_000)
  })

  it('answers without grants when the upload cannot be granted any more', async () => {
    const body = { fileName: 'a', sizeBytes: 5, parts: [{ partNumber: 1 }] }
    const headers = { 'idempotency-key': 'old-upload' }
    const first = await api('createUpload', { body, headers })
    await app.deps.db.prisma.$executeRaw`
      UPDATE uploads SET created_at = now() - interval '8 days' WHERE id = ${first.body.upload.id}`
    const again = await api('createUpload', { body, headers })
    expect([again.status, again.body.upload.id, again.body.grants]).toEqual([200, first.body.upload.id, []])
  })

  it('does not go on with an upload at the end of its life', async () => {
    const first = await start({ fingerprint: 'file-6' })
    await app.deps.db.prisma.$executeRaw`
      UPDATE uploads SET created_at = created_at - interval '8 days' WHERE id = ${first.body.upload.id}`
    const again = await start({ fingerprint: 'file-6' })
    expect(again.status).toBe(201)
  })
})

describe('the bytes of a larger upload', () => {
  it('come back equal after parts sent in any order', async () => {
    const bytes = someBytes(5 * MiB + 123)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes, [6, 2, 4])
    await sendParts(api, upload, bytes, [1, 3, 5])
    const done = await api('completeUpload', { id: upload.id, body: { crc64: crc64Of(bytes) } })
    expect(done.status).toBe(200)
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
  })
})
