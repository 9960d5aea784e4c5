import type { Upload } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { send } from '../local-cloud/send.ts'
import { type Api, createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { ROOT_KEY } from '../support/local-cloud.ts'
import { putForeignObject } from '../support/objects.ts'

/* Whoever holds credentials for an object can still replace it when the upload is completed. That is noticed after their end. */

let app: TestApp
let api: Api
beforeAll(async () => {
  app = await startTestApp()
  api = createApi(app.url, app.token({ subject: 'alice', tenant: 'acme', scopes: ['uploads', 'credentials'] }))
})
afterAll(() => app.close())
afterEach(() => app.cloud.faults.clear())

const sql = () => app.deps.db.prisma
const rowOf = ({ id }: Pick<Upload, 'id'>) => sql().upload.findUniqueOrThrow({ where: { id } })
const eventsOf = ({ id }: Pick<Upload, 'id'>) =>
  sql().event.findMany({
    where: { uploadId: id, kind: 'object-changed' },
    omit: { dueAt: true, attempts: true, deliveredAt: true },
  })

interface Completed {
  upload: Upload
  bytes: Buffer
  credentials: { accessKeyId: string; accessKeySecret: string; securityToken: string }
}

async function completed(isWithCredentials = true): Promise<Completed> {
  const bytes = someBytes(MiB + 1)
  const upload = await createFor(api, bytes)
  const credentials = isWithCredentials ? (await api('grantCredentials', { id: upload.id })).body : null
  await sendParts(api, upload, bytes)
  const done = await api('completeUpload', { id: upload.id, body: {} })
  expect(done.status).toBe(200)
  return { upload: done.body.upload, bytes, credentials }
}

/** As if so many seconds had passed since the credentials were handed out, or since the last look. */
const age = ({ id }: Pick<Upload, 'id'>, seconds: number) => sql().$executeRaw`
  UPDATE uploads SET due_at = due_at - make_interval(secs => ${seconds}::double precision),
    credentials_alive_until = credentials_alive_until - make_interval(secs => ${seconds}::double precision) WHERE id = ${id}`

const overwrite = ({ upload, credentials }: Completed, body: Buffer, headers: Record<string, string> = {}) =>
  send(app.cloud.ossUrl, { method: 'PUT', key: upload.key, body, credentials, headers })

describe('an object completed while credentials for it live', () => {
  it('is looked at a minute after their end and once more when no request of theirs can still be running', async () => {
    const { upload } = await completed()
    const row = await rowOf(upload)
    const deadAt = row.credentialsAliveUntil?.getTime() ?? 0
    expect(deadAt).toBeGreaterThan(Date.now() + 600_000)
    expect(row.dueAt?.getTime()).toBe(deadAt + 60_000)
    app.cloud.requests.reset()
    expect(await recoverUploads(app.deps)).toBe(0)
    await age(upload, 1000)
    expect(await recoverUploads(app.deps)).toBe(1)
    expect(app.cloud.requests.count('HeadObject')).toBe(1)
    const again = await rowOf(upload)
    expect((again.dueAt?.getTime() ?? 0) - (again.credentialsAliveUntil?.getTime() ?? 0)).toBeGreaterThan(4 * 3600_000)
    await age(upload, 5 * 3600)
    expect(await recoverUploads(app.deps)).toBe(1)
    expect(await rowOf(upload)).toMatchObject({ state: 'completed', dueAt: null })
    expect(await recoverUploads(app.deps)).toBe(0)
    expect(await eventsOf(upload)).toEqual([])
  })

  it('that their holder overwrites becomes an event, a log line and a number, once', async () => {
    const before = await completed()
    const { upload } = before
    expect((await overwrite(before, someBytes(10))).status).toBe(200)
    await age(upload, 1000)
    await Promise.all([recoverUploads(app.deps), recoverUploads(app.deps)])
    const events = await eventsOf(upload)
    expect(events).toEqual([
      {
        id: expect.any(BigInt),
        kind: 'object-changed',
        tenant: 'acme',
        uploadId: upload.id,
        createdAt: expect.any(Date),
        detail: {
          bucket: upload.bucket,
          key: upload.key,
          differences: [
            { what: 'tag', completed: upload.id, found: null },
            { what: 'size', completed: MiB + 1, found: 10 },
            { what: 'etag', completed: upload.etag, found: expect.any(String) },
            { what: 'crc64', completed: upload.crc64, found: expect.any(String) },
          ],
        },
      },
    ])
    expect(await rowOf(upload)).toMatchObject({ state: 'completed', dueAt: null, etag: upload.etag })
    const boss = createApi(app.url, app.token({ subject: 'boss', tenant: 'acme', scopes: ['admin'] }))
    const { body: shown } = await boss('listEvents')
    expect(shown.events).toMatchObject([{ kind: 'object-changed', uploadId: upload.id, detail: events[0]?.detail }])
    expect(app.logLines.filter((line) => line.includes('has changed') && line.includes(upload.id))).toHaveLength(1)
    expect((await app.deps.metrics.expose()).text).toContain('partway_objects_changed_total 1\n')
    await age(upload, 1000)
    expect(await recoverUploads(app.deps)).toBe(0)
  })

  it('is found changed also by somebody who knows its tag, keeps its size, or its very bytes', async () => {
    const [forged, same] = [await completed(), await completed()]
    const tag = ({ upload }: Completed) => ({ 'x-oss-meta-partway-upload': upload.id })
    await overwrite(forged, someBytes(MiB + 1), tag(forged))
    await overwrite(same, same.bytes, tag(same))
    for (const { upload } of [forged, same]) await age(upload, 1000)
    await recoverUploads(app.deps)
    const differences = async ({ upload }: Completed) =>
      (await eventsOf(upload)).flatMap(({ detail }) =>
        (detail as { differences: { what: string }[] }).differences.map(({ what }) => what),
      )
    expect(await differences(forged)).toEqual(['etag', 'crc64'])
    expect(await differences(same)).toEqual(['etag'])
  })

  it('that is overwritten between the two looks is found at the second', async () => {
    const { upload } = await completed()
    await age(upload, 1000)
    await recoverUploads(app.deps)
    await putForeignObject(app.cloud, upload.key, someBytes(5))
    await age(upload, 5 * 3600)
    await recoverUploads(app.deps)
    expect(await eventsOf(upload)).toHaveLength(1)
  })

  it('that somebody deleted is no news', async () => {
    const { upload } = await completed()
    await send(app.cloud.ossUrl, { method: 'DELETE', key: upload.key, credentials: ROOT_KEY })
    await age(upload, 1000)
    await recoverUploads(app.deps)
    expect(await eventsOf(upload)).toEqual([])
    expect((await rowOf(upload)).dueAt).toBeNull()
  })

  it('is looked at later when OSS does not answer', async () => {
    const before = await completed()
    const { upload } = before
    await overwrite(before, someBytes(10))
    await age(upload, 1000)
    app.cloud.faults.add({
      match: { verb: 'HeadObject' },
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
    })
    await recoverUploads(app.deps)
    expect(await eventsOf(upload)).toEqual([])
    expect((await rowOf(upload)).dueAt).not.toBeNull()
    app.cloud.faults.clear()
    await age(upload, 60)
    await recoverUploads(app.deps)
    expect(await eventsOf(upload)).toHaveLength(1)
  })
})

describe('an upload without credentials', () => {
  it('is never looked at again: nobody can have changed it with what Partway handed out', async () => {
    const { upload } = await completed(false)
    expect(await rowOf(upload)).toMatchObject({ dueAt: null, credentialsAliveUntil: null })
  })
})

describe('an upload given up while credentials for it live', () => {
  it('does not look finished, though their holder begins and completes another on its key', async () => {
    const bytes = someBytes(MiB)
    const upload = await createFor(api, bytes)
    const { body: credentials } = await api('grantCredentials', { id: upload.id })
    expect((await api('abortUpload', { id: upload.id })).body.upload.state).toBe('aborted')
    const sign = { key: upload.key, credentials }
    const headers = { 'x-oss-meta-partway-upload': upload.id }
    const made = await send(app.cloud.ossUrl, { method: 'POST', query: { uploads: null }, headers, ...sign })
    const uploadId = made.xml('UploadId') ?? ''
    const put = await send(app.cloud.ossUrl, {
      method: 'PUT',
      query: { uploadId, partNumber: '1' },
      body: bytes,
      ...sign,
    })
    const list = `<Part><PartNumber>1</PartNumber><ETag>${put.headers.etag}</ETag></Part>`
    const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`
    expect((await send(app.cloud.ossUrl, { method: 'POST', query: { uploadId }, body, ...sign })).status).toBe(200)
    expect((await app.deps.objects.headObject(upload.key))?.uploadTag).toBe(upload.id)
    await age(upload, 1100)
    await recoverUploads(app.deps)
    expect(await app.deps.objects.headObject(upload.key)).toBeNull()
  })

  it('does not look finished either, when a request that began with them ends hours after them', async () => {
    const upload = await createFor(api, someBytes(MiB))
    await api('grantCredentials', { id: upload.id })
    await api('abortUpload', { id: upload.id })
    await age(upload, 1100)
    await recoverUploads(app.deps)
    const body = someBytes(MiB)
    const headers = { 'x-oss-meta-partway-upload': upload.id }
    await send(app.cloud.ossUrl, { method: 'PUT', key: upload.key, body, headers, credentials: ROOT_KEY })
    await age(upload, 5 * 3600)
    await recoverUploads(app.deps)
    expect(await app.deps.objects.headObject(upload.key)).toBeNull()
    expect((await rowOf(upload)).dueAt).toBeNull()
  })

  it('is looked at once, when there were none', async () => {
    const upload = await createFor(api, someBytes(MiB))
    await api('abortUpload', { id: upload.id })
    await age(upload, 1100)
    await recoverUploads(app.deps)
    expect((await rowOf(upload)).dueAt).toBeNull()
  })
})
