import type { EndpointName, Upload } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Api, createApi, createFor, MiB, sendParts, sha256Of, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { readObject } from '../support/objects.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

/* Postgres, OSS or STS go away and come back. The server says so, with 503 and Retry-After, and goes on without a restart. */

let home: TestApp
let app: TestApp
let line: TcpProxy
let api: Api

beforeAll(async () => {
  home = await startTestApp()
  const url = new URL(home.databaseUrl)
  line = await startTcpProxy([Number(url.port)])
  url.hostname = '127.0.0.1'
  url.port = String(line.port)
  // The same database and cloud, with a database connection that can be cut.
  app = await startTestApp({ beside: home, environment: { DATABASE_URL: url.href } })
  api = createApi(app.url, app.token({ subject: 'alice' }))
})
afterAll(async () => {
  await app.close()
  await line.close()
  await home.close()
})
afterEach(() => {
  line.restore()
  home.cloud.faults.clear()
})

const calls: [EndpointName, unknown][] = [
  ['createUpload', { fileName: 'a', sizeBytes: 5 }],
  ['listUploads', undefined],
  ['getUpload', undefined],
  ['listParts', undefined],
  ['grantParts', { parts: [{ partNumber: 1 }] }],
  ['saveCheckpoint', { parts: [{ partNumber: 1 }] }],
  ['completeUpload', {}],
  ['abortUpload', undefined],
]
const call = (upload: Upload, [name, body]: (typeof calls)[number]) =>
  api(name, { id: upload.id, ...(body === undefined ? {} : { body }) })

describe('while the database is down', () => {
  it('answers 503 database-unavailable to everything that needs it, and works again afterwards', async () => {
    const bytes = someBytes(MiB + 5)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes)
    line.interrupt()
    for (const one of calls) {
      const reply = await call(upload, one)
      expect([one[0], reply.status, reply.body.code]).toEqual([one[0], 503, 'database-unavailable'])
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect((await fetch(`${app.url}/healthz`)).status).toBe(200)
    await expect.poll(async () => (await fetch(`${app.url}/readyz`)).status, { timeout: 10_000 }).toBe(503)
    line.restore()
    const done = await api('completeUpload', { id: upload.id, body: {} })
    expect(done.status).toBe(200)
    expect(sha256Of(await readObject(home.cloud, upload.key))).toBe(sha256Of(bytes))
    // The answer is kept for a moment, so that balancers do not become load.
    await expect.poll(async () => (await fetch(`${app.url}/readyz`)).status, { timeout: 10_000 }).toBe(200)
  })
})

describe('while OSS is down', () => {
  const down = () => home.cloud.faults.add({ effect: { kind: 'cut', at: 'start' } })

  it('answers 503 storage-unavailable where OSS is needed, and serves what needs only the database', async () => {
    const bytes = someBytes(MiB + 5)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes)
    down()
    for (const name of ['createUpload', 'listParts', 'completeUpload'] as const) {
      const reply = await call(upload, calls.find(([one]) => one === name) ?? [name, undefined])
      expect([name, reply.status, reply.body.code]).toEqual([name, 503, 'storage-unavailable'])
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect((await api('listUploads')).status).toBe(200)
    await expect.poll(async () => (await fetch(`${app.url}/readyz`)).status, { timeout: 10_000 }).toBe(503)
    home.cloud.faults.clear()
    expect((await api('completeUpload', { id: upload.id, body: {} })).status).toBe(200)
    expect(sha256Of(await readObject(home.cloud, upload.key))).toBe(sha256Of(bytes))
  })

  it('still grants, since signing asks nobody', async () => {
    const upload = await createFor(api, someBytes(10))
    down()
    const reply = await api('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })
    expect(reply.status).toBe(200)
  })
})

describe('while STS is down', () => {
  it('uploads go on: presigned mode never asks it', async () => {
    home.cloud.faults.add({
      match: { verb: 'AssumeRole' },
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
    })
    const bytes = someBytes(10)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes)
    expect((await api('completeUpload', { id: upload.id, body: {} })).status).toBe(200)
    expect(home.cloud.requests.count('AssumeRole')).toBe(0)
  })
})
