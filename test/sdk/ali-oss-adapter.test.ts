import { Agent } from 'node:http'
import { inspect } from 'node:util'
import { type AccessOptions, createDirectAccess, createUploadAccess } from '@partway/client/ali-oss'
import { ClientException, createUploadClient, isServerProblem } from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createApi, createFor, sendParts, sha256Of, someBytes } from '../support/api.ts'
import { startTestApp } from '../support/app.ts'
import { readObject } from '../support/objects.ts'
import { type AliOssBench, startAliOssBench } from './ali-oss-bench.ts'
import { testRetry } from './upload-bench.ts'

/* The official client, unchanged, with credentials from Partway. */

let bench: AliOssBench
beforeAll(async () => {
  bench = await startAliOssBench()
})
beforeEach(() => bench.reset())
afterAll(() => bench.close())

const partSize = 102_400
const minute = 60
const hour = 3600
const sts = (code: string) =>
  bench.app.cloud.faults.add({ match: { verb: 'AssumeRole' }, effect: { kind: 'answer', status: 503, code } })

/** Lets callers through by eights, `run` before each group. */
function byEights(run: () => void): () => Promise<void> {
  let waiting: (() => void)[] = []
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (waiting.length < 8) return
      const group = waiting
      waiting = []
      run()
      for (const pass of group) pass()
    })
}

/** Half a minute passes with every part; the server's own work takes no time. */
const slowly = async () => {
  await bench.quiet()
  bench.wait(30)
}

async function expectStored(name: string, bytes: Buffer): Promise<void> {
  bench.setDeviceClock(0)
  expect(sha256Of(await readObject(bench.app.cloud, name))).toBe(sha256Of(bytes))
}

describe('ali-oss with direct credentials', () => {
  it('finishes a multipart upload that outlives three tokens with 8 parts in flight: one renewal for all of them', async () => {
    const access = await createDirectAccess(bench.access)
    const { oss, tokens } = bench.connect(access.options)
    const bytes = someBytes(40 * partSize)
    const name = `${access.prefix}long.bin`
    const path = await bench.file(bytes)
    // Whenever 8 parts are stored the machine sleeps for longer than any token lives. The next 8 all find theirs dead.
    const sleep = byEights(() => bench.sleep(20 * minute))
    const progress = (share: number) => (share > 0 && share < 1 ? sleep() : undefined)
    await oss.multipartUpload(name, path, { parallel: 8, partSize, progress })

    await expectStored(name, bytes)
    expect(bench.deathsMs().filter((deadMs) => deadMs < bench.nowMs())).toHaveLength(5)
    expect(bench.refusals()).toBe(0)
    expect(bench.app.cloud.requests.count('UploadPart')).toBe(40)
    // One set for Initiate and the first 8 parts, one for each other 8, and the last one for Complete.
    expect(tokens.size).toBe(6)
    expect(bench.app.cloud.requests.count('AssumeRole')).toBe(6)
    expect(bench.calls()).toEqual(Array(6).fill('POST /v1/credentials 200'))

    const stale = bench.connect({ ...access.options, refreshSTSToken: undefined })
    await expect(stale.oss.put(name, bytes)).rejects.toMatchObject({ code: 'SecurityTokenExpired' })
    expect(bench.refusals()).toBe(1)
  })

  it('is given new credentials while the old ones have minutes to live, a few times an hour', async () => {
    const access = await createDirectAccess(bench.access)
    const { oss, tokens } = bench.connect(access.options)
    const bytes = someBytes(120 * partSize)
    const name = `${access.prefix}steady.bin`
    await oss.multipartUpload(name, bytes, { parallel: 8, partSize, progress: slowly })
    await bench.quiet()

    await expectStored(name, bytes)
    expect(bench.deathsMs().filter((deadMs) => deadMs < bench.nowMs()).length).toBeGreaterThanOrEqual(3)
    expect(bench.refusals()).toBe(0)
    expect(bench.app.cloud.requests.count('UploadPart')).toBe(120)
    expect(tokens.size).toBeGreaterThanOrEqual(4)
    const { length } = bench.calls()
    expect(bench.calls()).toEqual(Array(length).fill('POST /v1/credentials 200'))
    expect(length).toBeLessThanOrEqual(9)
    expect(bench.app.cloud.requests.count('AssumeRole')).toBe(length)
  })

  it('asks as often as it likes: one request for 8 at once, none while the credentials live', async () => {
    const { options } = await createDirectAccess(bench.access)
    bench.wait(20 * minute)
    const given = await Promise.all(Array.from({ length: 8 }, () => options.refreshSTSToken()))
    expect(new Set(given.map(({ stsToken }) => stsToken)).size).toBe(1)
    expect(given[0]?.stsToken).not.toBe(options.stsToken)
    for (let asked = 0; asked < 100; asked++) expect(await options.refreshSTSToken()).toEqual(given[0])
    expect(bench.calls()).toEqual(Array(2).fill('POST /v1/credentials 200'))
  })

  it('goes on while no credentials can be had and its own live, and then hears why there are none, without a secret', async () => {
    let failures: number[] = []
    const onRetry = (notice: { failures: number }) => void failures.push(notice.failures)
    const access = await createDirectAccess({ ...bench.access, retry: { ...testRetry, budgetMs: 120_000 }, onRetry })
    const { oss, tokens } = bench.connect(access.options)
    sts('ServiceUnavailable')
    const bytes = someBytes(17 * partSize)
    const name = `${access.prefix}outage.bin`
    await oss.multipartUpload(name, bytes, { parallel: 8, partSize, progress: slowly })
    await bench.quiet()
    await expectStored(name, bytes)
    expect(bench.calls()).toContain('POST /v1/credentials 503')
    expect([...tokens]).toEqual([access.options.stsToken])
    // Nobody waits for these: a few attempts, and some time later a few others.
    expect(Math.max(...failures)).toBe(2)

    failures = []
    bench.wait(20 * minute)
    const failure: unknown = await oss.put(name, bytes).catch((error: unknown) => error)
    expect(isServerProblem(failure) && failure.code).toBe('credentials-unavailable')
    expect(Math.max(...failures)).toBeGreaterThan(2)
    const { accessKeySecret, stsToken } = access.options
    for (const secret of [accessKeySecret, stsToken, bench.token]) expect(inspect(failure)).not.toContain(secret)

    bench.app.cloud.faults.clear()
    bench.wait(minute)
    await oss.put(name, bytes)
    expect(bench.refusals()).toBe(0)
  })

  it('goes on from its own checkpoint when an outage was longer than the life of its credentials', async () => {
    const access = await createDirectAccess(bench.access)
    const { oss } = bench.connect(access.options)
    const bytes = someBytes(24 * partSize)
    const path = await bench.file(bytes)
    const name = `${access.prefix}gone-on.bin`
    const options = { parallel: 8, partSize }
    let checkpoint: { doneParts: unknown[] } | undefined
    const sleep = byEights(() => {
      sts('ServiceUnavailable')
      bench.sleep(20 * minute)
    })
    const progress = (share: number, reached: typeof checkpoint) => {
      checkpoint = reached
      return share > 0 ? sleep() : undefined
    }
    const failure = oss.multipartUpload(name, path, { ...options, progress })
    await expect(failure).rejects.toMatchObject({ name: 'ServiceException', code: 'credentials-unavailable' })
    expect(checkpoint?.doneParts).toHaveLength(8)
    await bench.quiet()

    bench.app.cloud.faults.clear()
    bench.wait(minute)
    await oss.multipartUpload(name, path, { ...options, checkpoint })
    await expectStored(name, bytes)
    expect(bench.app.cloud.requests.count('UploadPart')).toBe(24)
    expect(bench.refusals()).toBe(0)
  })

  it.each([
    ['two hours fast', 2 * hour],
    ['two hours slow', -2 * hour],
  ])('works on a machine whose clock is %s', async (_name, aheadSeconds) => {
    bench.setDeviceClock(aheadSeconds)
    const access = await createDirectAccess(bench.access)
    const { oss } = bench.connect(access.options)
    const bytes = someBytes(64 * partSize)
    const name = `${access.prefix}wrong-clock.bin`
    await oss.multipartUpload(name, bytes, { parallel: 8, partSize, progress: slowly })
    await bench.quiet()
    await expectStored(name, bytes)
    expect(bench.refusals()).toBe(0)
    expect(bench.calls().length).toBeLessThanOrEqual(6)
  })

  it('signs by the machine’s own clock while that is near the truth', async () => {
    const { options } = await createDirectAccess(bench.access)
    const correctionMs = async () => ((await options.refreshSTSToken()) as { amendTimeSkewed?: number }).amendTimeSkewed
    const near = (seconds: number) => expect.closeTo(seconds * 1000, -4)
    bench.setDeviceClock(4 * minute)
    expect(await correctionMs()).toBe(0)
    bench.setDeviceClock(2 * hour)
    expect(await correctionMs()).toEqual(near(-2 * hour))
    bench.setDeviceClock(0)
    expect(await correctionMs()).toBe(0)
  })

  it.each([
    ['forward', 3 * hour],
    ['back', -3 * hour],
  ])('outlives its tokens although the machine’s clock is set %s meanwhile', async (_name, aheadSeconds) => {
    const access = await createDirectAccess(bench.access)
    const { oss } = bench.connect(access.options)
    const bytes = someBytes(64 * partSize)
    const name = `${access.prefix}set-clock.bin`
    let stored = 0
    const progress = async () => {
      await slowly()
      if (stored++ === 20) bench.setDeviceClock(aheadSeconds)
    }
    await oss.multipartUpload(name, bytes, { parallel: 8, partSize, progress })
    await bench.quiet()
    await expectStored(name, bytes)
    expect(bench.refusals()).toBe(0)
    expect(bench.deathsMs().filter((deadMs) => deadMs < bench.nowMs()).length).toBeGreaterThanOrEqual(1)
  })

  it('fails at once, with the reason, when there is no token, no such right or no server to ask', async () => {
    const withToken = (token: () => string | Promise<string>): AccessOptions => ({ ...bench.access, token })
    const thrown = new Error('signed out')
    const signedOut = withToken(() => Promise.reject(thrown))
    await expect(createDirectAccess(signedOut)).rejects.toMatchObject({ code: 'token-unavailable', cause: thrown })
    const weak = withToken(() => bench.app.token({ scopes: ['uploads'], ttlSeconds: 86_400 }))
    await expect(createDirectAccess(weak)).rejects.toMatchObject({ code: 'forbidden', status: 403 })
    for (const [name, value] of Object.entries({ baseUrl: '', token: 'a token' })) {
      const refused = createDirectAccess({ ...bench.access, [name]: value })
      const message = expect.stringMatching(new RegExp(`^${name} must be `))
      await expect(refused).rejects.toMatchObject({ name: 'ClientException', code: 'invalid-argument', message })
    }
  })

  it('goes on with what it has when the token function fails later, until that is dead', async () => {
    let isSignedIn = true
    const token = () => {
      if (isSignedIn) return bench.app.token({ scopes: ['credentials:direct'], ttlSeconds: minute })
      throw new Error('signed out')
    }
    const { options, prefix } = await createDirectAccess({ ...bench.access, token })
    const { oss } = bench.connect(options)
    isSignedIn = false
    bench.wait(10 * minute)
    await oss.put(`${prefix}later.txt`, Buffer.from('still'))
    await bench.quiet()
    bench.wait(4 * minute)
    await oss.put(`${prefix}later.txt`, Buffer.from('still alive'))
    bench.wait(2 * minute)
    const failure: unknown = await oss.put(`${prefix}later.txt`, Buffer.from('dead')).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ClientException)
    expect(failure).toMatchObject({ code: 'token-unavailable' })
    await expectStored(`${prefix}later.txt`, Buffer.from('still alive'))
    isSignedIn = true
    await oss.put(`${prefix}later.txt`, Buffer.from('again'))
  })

  it('may not write outside of its folder', async () => {
    const { options, prefix } = await createDirectAccess(bench.access)
    const { oss } = bench.connect(options)
    for (const name of [`${prefix.slice(0, -1)}x/a.txt`, 'direct/a.txt', 'uploads/a.txt']) {
      await expect(oss.put(name, Buffer.from('a'))).rejects.toMatchObject({ code: 'AccessDenied' })
    }
  })

  it('tries as often as it is told to', async () => {
    sts('ServiceUnavailable')
    const refused = createDirectAccess({ ...bench.access, retry: { maxAttempts: 2 } })
    await expect(refused).rejects.toMatchObject({ code: 'credentials-unavailable' })
    expect(bench.calls()).toEqual(Array(2).fill('POST /v1/credentials 503'))
  })

  it('lets go of a call under way when the signal aborts', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const neverAnswered: typeof fetch = (_url, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
        controller.abort(reason)
      })
    const ports = { fetch: neverAnswered }
    await expect(createDirectAccess({ ...bench.access, ports, signal: controller.signal })).rejects.toBe(reason)
  })

  it('asks nobody for anything once the signal has aborted', async () => {
    const controller = new AbortController()
    const { options } = await createDirectAccess({ ...bench.access, signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(options.refreshSTSToken()).rejects.toBe(reason)
    await expect(bench.connect(options).oss.put('a.txt', Buffer.from('a'))).rejects.toBe(reason)
    expect(bench.calls()).toHaveLength(1)
  })
})

describe('the options for ali-oss', () => {
  const name = 'direct/alice/alice/目录 +&.bin'
  const places = [
    { addressing: 'virtual', host: 'oss-cn-hangzhou.aliyuncs.com', sent: 'partway-local.oss-cn-hangzhou.aliyuncs.com' },
    { addressing: 'cname', host: 'files.example.com', sent: 'files.example.com' },
    { addressing: 'path', host: 'localhost', sent: 'localhost', folder: '/partway-local' },
  ] as const

  it.each(places)('make it send to $sent for $addressing addressing', async ({ addressing, host, ...place }) => {
    const { port } = new URL(bench.app.cloud.ossUrl)
    const server = await startTestApp({
      beside: bench.app,
      ...bench.serverOptions,
      config: (config) => ({
        ...config,
        oss: { ...config.oss, publicEndpoint: `http://${host}:${port}`, publicAddressing: addressing },
      }),
    })
    try {
      const { options, prefix } = await createDirectAccess({ ...bench.access, baseUrl: server.url })
      expect(options).toMatchObject({ bucket: 'partway-local', region: 'oss-cn-hangzhou', secure: false })
      // Every name leads to the local cloud here, which knows its bucket by all three.
      const agent = new Agent({
        lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
      })
      const { oss, urls } = bench.connect({ ...options, agent })
      expect(name.startsWith(prefix)).toBe(true)
      await oss.put(name, Buffer.from(addressing))
      const folder = 'folder' in place ? place.folder : ''
      expect(urls).toEqual([`http://${place.sent}:${port}${folder}/${encodeURI(name).replace('+&', '%2B%26')}`])
      await expectStored(name, Buffer.from(addressing))
      agent.destroy()
    } finally {
      await server.close()
    }
  })

  it('follow the scheme of the endpoint', async () => {
    const secure = { endpoint: 'https://oss-accelerate.aliyuncs.com', addressing: 'virtual' as const }
    const answer = async (...request: Parameters<typeof fetch>) => {
      const response = await fetch(...request)
      return Response.json({ ...((await response.json()) as object), ...secure }, { headers: response.headers })
    }
    const { options } = await createDirectAccess({ ...bench.access, ports: { fetch: answer } })
    expect(options).toMatchObject({ endpoint: secure.endpoint, secure: true, cname: false, sldEnable: false })
    const { oss } = bench.connect(options)
    const url = await oss.signatureUrlV4('GET', 60, undefined, 'direct/a.txt')
    expect(url).toMatch(/^https:\/\/partway-local\.oss-accelerate\.aliyuncs\.com\/direct\/a\.txt\?/)
  })
})

describe('ali-oss with the credentials of one upload', () => {
  it('sends the parts that are missing, across the death of three tokens, and Partway completes the upload', async () => {
    const api = createApi(bench.app.url, bench.token)
    const bytes = someBytes(27 * 1_048_576 - 5)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes, [2, 3, 7])
    // Two parts to a page, in place of a thousand.
    const inPages: typeof fetch = (url, init) => noting(String(url).replace('limit=1000', 'limit=2'), init)
    const { fetch: noting = fetch, ...ports } = bench.access.ports ?? {}
    const access = await createUploadAccess(upload.id, { ...bench.access, ports: { ...ports, fetch: inPages } })
    expect(access.key).toBe(upload.key)
    const { oss, tokens } = bench.connect(access.options)
    const checkpoint = await access.checkpoint(bytes)
    expect(checkpoint.doneParts.map(({ number }) => number)).toEqual([2, 3, 7])
    expect(bench.calls().filter((call) => call.startsWith('GET /v1/uploads/{id}/parts'))).toHaveLength(2)
    bench.app.cloud.requests.reset()
    const sleep = byEights(() => bench.sleep(20 * minute))
    const progress = (share: number) => (share > 0 && share < 1 ? sleep() : undefined)
    await oss.multipartUpload(access.key, bytes, { parallel: 8, checkpoint, progress })
    expect(bench.refusals()).toBe(0)
    expect(bench.app.cloud.requests.count('UploadPart')).toBe(upload.partCount - 3)
    expect(bench.app.cloud.requests.count('InitiateMultipartUpload')).toBe(0)
    expect(tokens.size).toBeGreaterThanOrEqual(4)

    const client = createUploadClient({ baseUrl: bench.app.url, token: () => bench.token })
    const completed = await client.completeUpload(upload.id)
    expect(completed.upload.state).toBe('completed')
    await expectStored(upload.key, bytes)
  })

  it('may write that object and no neighbour of it', async () => {
    const upload = await createFor(createApi(bench.app.url, bench.token), someBytes(partSize))
    const { options, key } = await createUploadAccess(upload.id, bench.access)
    const { oss } = bench.connect(options)
    for (const neighbour of [`${key}x`, key.slice(0, -1), key.replace(/[^/]+$/, 'other.bin')]) {
      await expect(oss.put(neighbour, Buffer.from('a'))).rejects.toMatchObject({ code: 'AccessDenied' })
    }
    await oss.put(key, Buffer.from('a'))
  })

  it('is refused another file by its size, and credentials for what is no upload', async () => {
    const upload = await createFor(createApi(bench.app.url, bench.token), someBytes(partSize))
    const access = await createUploadAccess(upload.id, bench.access)
    for (const file of [someBytes(partSize - 1), new Blob(['other'])]) {
      await expect(access.checkpoint(file)).rejects.toMatchObject({ code: 'source-changed' })
    }
    const unknown = createUploadAccess(`upl_${'0'.repeat(32)}`, bench.access)
    await expect(unknown).rejects.toMatchObject({ code: 'upload-not-found' })
  })
})
