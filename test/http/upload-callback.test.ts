import { createSign, generateKeyPairSync } from 'node:crypto'
import type { Upload, UploadCallback } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { postOnce } from '../../server/local-cloud/callback/post-once.ts'
import type { LocalCloud } from '../../server/local-cloud/local-cloud.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { send } from '../local-cloud/send.ts'
import { type Api, createApi, createFor, MiB, sendParts, sha256Of, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { answerJson, type CallbackApp, startCallbackApp } from '../support/callback-app.ts'
import { putForeignObject, readObject } from '../support/objects.ts'

let application: CallbackApp
let app: TestApp
let second: TestApp
let api: Api

beforeAll(async () => {
  application = await startCallbackApp()
  app = await startTestApp({ environment: { CALLBACK_ALLOWED_ORIGINS: `${application.url}, https://app.example.com` } })
  second = await startTestApp({ beside: app })
  api = createApi(app.url, app.token())
})
afterAll(async () => {
  await second.close()
  await app.close()
  await application.close()
})
beforeEach(() => {
  application.received = []
  application.answer = (response) => answerJson(response, { Status: 'OK' })
})
afterEach(() => app.cloud.faults.clear())

const callbackTo = (path = '/done'): UploadCallback => ({
  url: `${application.url}${path}`,
  body: 'object=${object}&size=${size}&who=${x:who}',
  vars: { 'x:who': 'Ängström' },
})
const complete = (upload: Upload) => api('completeUpload', { id: upload.id })
const stateOf = async (upload: Upload) => (await api('getUpload', { id: upload.id })).body.upload.state
const keptBodies = () => app.deps.db.prisma.uploadCallback.findMany()

async function uploaded(callback: UploadCallback, sizeBytes = MiB + 7) {
  const bytes = someBytes(sizeBytes)
  const upload = await createFor(api, bytes, { callback })
  if (sizeBytes > 0) await sendParts(api, upload, bytes)
  return { bytes, upload }
}

describe('an upload with a callback', () => {
  it('has OSS send it once at complete, and answers with what the application said, every time it is asked', async () => {
    const { upload, bytes } = await uploaded(callbackTo())
    const replies = await Promise.all(Array.from({ length: 8 }, () => complete(upload)))
    for (const reply of [...replies, await complete(upload)]) {
      expect(reply.body).toMatchObject({
        upload: { state: 'completed' },
        callbackResult: { status: 200, body: '{"Status":"OK"}' },
      })
    }
    expect(application.received.map(({ target }) => target)).toEqual(['/done'])
    expect(Object.fromEntries(new URLSearchParams(application.received[0]?.body))).toEqual({
      object: upload.key,
      size: String(bytes.length),
      who: 'Ängström',
    })
  })

  it('has it sent for an empty file as well', async () => {
    const { upload } = await uploaded(callbackTo(), 0)
    const { body } = await complete(upload)
    expect(body).toMatchObject({ upload: { state: 'completed' }, callbackResult: { status: 200 } })
    expect(application.received).toHaveLength(1)
  })

  it('is completed, with 203, when the application fails: the reference SDK throws and uploads everything again', async () => {
    application.answer = (response) => answerJson(response, {}, 502)
    const { upload, bytes } = await uploaded(callbackTo())
    const reply = await complete(upload)
    expect(reply.status).toBe(200)
    expect(reply.body).toMatchObject({
      upload: { state: 'completed' },
      callbackResult: { status: 203, body: 'Error status : 502.' },
    })
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
    expect(app.logLines.join('')).toContain('the callback of an upload failed')
  })

  it('keeps an answer that looks like an error of OSS for what it is, and one with a NUL', async () => {
    const said = { html: '<Error><Code>NoSuchUpload</Code></Error>', nul: '\0' }
    application.answer = (response) => answerJson(response, said)
    const { upload } = await uploaded(callbackTo())
    const { body } = await complete(upload)
    expect(body.upload.state).toBe('completed')
    expect(JSON.parse(body.callbackResult.body)).toEqual(said)
  })

  it('answers null after a lost reply: OSS repeats none, and the object is there once', async () => {
    app.cloud.faults.add({ match: { verb: 'CompleteMultipartUpload' }, times: 1, effect: { kind: 'cut', at: 'reply' } })
    const { upload } = await uploaded(callbackTo())
    const reply = await complete(upload)
    expect(reply.body).toMatchObject({ upload: { state: 'completed' }, callbackResult: null })
    expect(application.received).toHaveLength(1)
  })

  it('answers null without a callback', async () => {
    const bytes = someBytes(MiB)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes)
    expect((await complete(upload)).body.callbackResult).toBeNull()
  })

  it('keeps its callback when it is found again by another create', async () => {
    const bytes = someBytes(MiB)
    const fields = { fingerprint: 'same-file', resume: true }
    const upload = await createFor(api, bytes, { ...fields, callback: callbackTo('/first') })
    expect((await createFor(api, bytes, { ...fields, callback: callbackTo('/second') })).id).toBe(upload.id)
    await sendParts(api, upload, bytes)
    await complete(upload)
    expect(application.received.map(({ target }) => target)).toEqual(['/first'])
  })

  it('is another request than without, for an Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'callback-1' }
    const body = { fileName: 'a', sizeBytes: 1 }
    expect((await api('createUpload', { body: { ...body, callback: callbackTo() }, headers })).status).toBe(201)
    expect((await api('createUpload', { body, headers })).body.code).toBe('idempotency-key-reused')
  })

  it.each<[string, Partial<UploadCallback> & Record<string, unknown>, string]>([
    ['another origin', { url: 'https://evil.example.com/' }, '/body/callback/url'],
    ['another port', { url: 'https://app.example.com:444/' }, '/body/callback/url'],
    ['another scheme', { url: 'http://app.example.com/' }, '/body/callback/url'],
    ['an allowed name in another’s', { url: 'https://app.example.com.evil.test/' }, '/body/callback/url'],
    ['an allowed name as a user', { url: 'https://app.example.com@evil.test/' }, '/body/callback/url'],
    ['an allowed name before a backslash', { url: 'https://app.example.com\\@evil.test/' }, '/body/callback/url'],
    ['an allowed name before a question mark', { url: 'https://app.example.com?@evil.test/' }, '/body/callback/url'],
    ['an allowed name after more slashes', { url: 'https:///app.example.com/' }, '/body/callback/url'],
    ['an allowed name with an escape', { url: 'https://app%2eexample.com/' }, '/body/callback/url'],
    ['an empty user', { url: 'https://@app.example.com/' }, '/body/callback/url'],
    ['an empty fragment', { url: 'https://app.example.com/#' }, '/body/callback/url'],
    ['a path that goes up', { url: 'https://app.example.com/a/../b' }, '/body/callback/url'],
    ['a second address', { url: 'https://app.example.com/;http://10.0.0.1/' }, '/body/callback/url'],
    ['the Host of another site', { url: 'https://app.example.com/', host: 'intranet' }, '/body/callback/host'],
    ['a variable nobody sets', { body: 'a=${x:other}' }, '/body/callback/body'],
    ['a variable of another case', { body: 'a=${Object}' }, '/body/callback/body'],
    ['half a variable', { body: 'a=${object' }, '/body/callback/body'],
    ['quotes where OSS sets them', { body: '{"a":"${object}"}', bodyType: 'application/json' }, '/body/callback/body'],
    ['more than OSS takes', { body: 'ü'.repeat(1_990) }, '/body/callback/body'],
    ['variables in upper case', { vars: { 'x:Who': 'a' } }, '/body/callback/vars/x:Who'],
    ['a field nobody knows', { retries: 3 }, '/body/callback/retries'],
  ])('is refused at create with %s', async (_, change, pointer) => {
    const callback = { ...callbackTo(), ...change }
    const { status, body } = await api('createUpload', { body: { fileName: 'a', sizeBytes: 1, callback } })
    expect([status, body.code]).toEqual([400, 'invalid-request'])
    expect(body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer)
  })

  it('is refused where the operator allows none', async () => {
    const strict = createApi(second.url, second.token())
    const reply = await strict('createUpload', { body: { fileName: 'a', sizeBytes: 1, callback: callbackTo() } })
    expect(reply.body.errors).toEqual([{ detail: 'this server allows no callbacks', pointer: '/body/callback/url' }])
    expect(await keptBodies()).not.toContainEqual(expect.objectContaining({ uploadId: reply.body.upload?.id ?? '' }))
  })
})

describe('POST /v1/oss-callback', () => {
  /** An upload whose callback goes to the server itself. */
  const self = (bodyType: UploadCallback['bodyType'] = 'application/x-www-form-urlencoded'): UploadCallback => ({
    url: `${application.url}/v1/oss-callback?from=oss`,
    body: bodyType === 'application/json' ? '{"object":${object}}' : 'object=${object}',
    bodyType,
  })

  /** OSS posts to the application, which stands for a proxy here: the server is on another port than the one that was allowed. */
  function forward(seen: { status: number; body: string }[] = [], to = (target: string) => `${app.url}${target}`) {
    application.answer = async (response, { target, headers, body }) => {
      const { connection: _, host: __, 'content-length': ___, ...sent } = headers
      const reply = await fetch(to(target), { method: 'POST', headers: sent as Record<string, string>, body })
      const answer = await reply.text()
      seen.push({ status: reply.status, body: answer })
      response.writeHead(reply.status, { 'content-length': Buffer.byteLength(answer) }).end(answer)
    }
    return seen
  }

  it.each(['application/x-www-form-urlencoded', 'application/json'] as const)(
    'completes the upload while the server still waits for OSS, and says so to both (%s)',
    async (bodyType) => {
      const seen = forward()
      const { upload } = await uploaded(self(bodyType))
      const reply = await complete(upload)
      const told = JSON.stringify({ id: upload.id, state: 'completed' })
      expect(reply.body).toMatchObject({ upload: { state: 'completed' }, callbackResult: { status: 200, body: told } })
      expect(seen).toEqual([{ status: 200, body: told }])
    },
  )

  it('knows the path it was called by, when a proxy takes its beginning away: that of PUBLIC_URL', async () => {
    const behind = await startTestApp({ beside: app, environment: { PUBLIC_URL: 'https://up.example.com/files' } })
    try {
      const seen = forward([], (target) => `${behind.url}${target.replace(/^\/(files|other)/, '')}`)
      const at = (path: string) => ({ ...self(), url: `${application.url}${path}/v1/oss-callback?from=oss` })
      for (const path of ['/files', '/other']) await complete((await uploaded(at(path))).upload)
      expect(seen.map(({ status }) => status)).toEqual([200, 403])
    } finally {
      await behind.close()
    }
  })

  it('finishes an upload whose server never heard of its Complete', async () => {
    forward()
    const { upload } = await uploaded(self())
    // As a client in STS mode would: past the server.
    await completeAtOss(app.cloud, upload, self())
    expect(await stateOf(upload)).toBe('completed')
  })

  it('answers a callback that is sent again the same way, and changes nothing', async () => {
    const seen = forward()
    const { upload } = await uploaded(self())
    await complete(upload)
    const before = (await api('getUpload', { id: upload.id })).body
    expect((await replay(application.received[0])).status).toBe(200)
    expect(seen).toHaveLength(1)
    expect((await api('getUpload', { id: upload.id })).body).toEqual(before)
  })

  it('believes HeadObject, and no callback: a signed one for an upload without an object changes nothing', async () => {
    forward()
    const victim = await createFor(api, someBytes(MiB))
    // Anybody with a bucket can have OSS sign this.
    const lie = { ...self(), body: `object=${encodeURIComponent(victim.key)}&size=1048576` }
    const { upload } = await uploaded(lie)
    const reply = await complete(upload)
    expect(reply.body.callbackResult).toEqual({
      status: 200,
      body: JSON.stringify({ id: victim.id, state: 'uploading' }),
    })
    expect(await stateOf(victim)).toBe('uploading')
    expect(await recoverUploads(app.deps)).toBe(0)
  })

  it('believes no object that is another’s: a signed callback for a key somebody else wrote to changes nothing', async () => {
    forward()
    const bytes = someBytes(MiB)
    const victim = await createFor(api, bytes)
    await sendParts(api, victim, bytes)
    await putForeignObject(app.cloud, victim.key, bytes)
    const { upload } = await uploaded({ ...self(), body: `object=${encodeURIComponent(victim.key)}` })
    expect((await complete(upload)).body.callbackResult.status).toBe(200)
    expect(await stateOf(victim)).toBe('uploading')
  })

  it('knows no upload behind another key', async () => {
    const seen = forward()
    const { upload } = await uploaded({ ...self(), body: 'object=uploads/none' })
    expect((await complete(upload)).body.callbackResult).toMatchObject({ status: 203, body: 'Error status : 404.' })
    expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ code: 'upload-not-found' })
  })

  it.each([
    ['application/json', 'null'],
    ['application/json', '[]'],
    ['application/json', '7'],
    ['application/json', '{"object":{"$ne":1}}'],
    ['application/json', '{'],
    ['application/x-www-form-urlencoded', 'object='],
    ['application/x-www-form-urlencoded', 'object=%00'],
  ])('names no upload with %s of %s, and says so', async (callbackBodyType, callbackBody) => {
    const seen = forward()
    const { url: callbackUrl } = self()
    const headers = encodedCallback({ callbackUrl, callbackBody, callbackBodyType })
    await send(app.cloud.ossUrl, { method: 'PUT', key: 'scratch', body: 'x', headers })
    expect(seen.map(({ status, body }) => [status, JSON.parse(body).code])).toEqual([[400, 'invalid-request']])
  })

  it('refuses a changed body, another path, a foreign key and no signature, and looks for nothing', async () => {
    forward()
    const { upload } = await uploaded(self())
    await complete(upload)
    const [good] = application.received
    const heads = app.cloud.requests.count('HeadObject')
    expect((await replay(good, { body: `${good?.body}&a=b` })).status).toBe(403)
    expect((await replay(good, { target: '/v1/oss-callback?from=elsewhere' })).status).toBe(403)
    expect((await replay(good, { headers: { authorization: 'AAAA' } })).status).toBe(403)
    expect((await replay(good, { headers: { authorization: '', 'x-oss-pub-key-url': '' } })).status).toBe(403)
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const signature = createSign('RSA-MD5').update(`${good?.target}\n${good?.body}`).sign(privateKey, 'base64')
    const elsewhere = [application.url, 'http://gosspublic.alicdn.com', 'file://'].map(
      (host) => `${host}/callback_pub_key_v1.pem`,
    )
    for (const keyUrl of elsewhere) {
      const headers = { authorization: signature, 'x-oss-pub-key-url': Buffer.from(keyUrl).toString('base64') }
      expect((await replay(good, { headers })).status).toBe(403)
    }
    expect(app.cloud.requests.count('HeadObject')).toBe(heads)
    expect(application.received).toHaveLength(1)
  })

  it('answers HTTP/1.0, as OSS speaks it, with a Content-Length', async () => {
    forward()
    const { upload } = await uploaded(self())
    await complete(upload)
    const { target = '', headers = {}, body = '' } = application.received[0] ?? {}
    const post = { url: new URL(`${app.url}${target}`), sni: false, timeoutMs: 5_000, maxReplyBytes: 1024 }
    const reply = await postOnce({ ...post, headers: headers as Record<string, string>, body: Buffer.from(body) })
    expect(reply.status).toBe(200)
    expect(reply.contentLength).toBe(reply.body.length)
  })

  it('takes no other method', async () => {
    expect((await fetch(`${app.url}/v1/oss-callback`)).status).toBe(405)
  })
})

/** Sends a callback that was received once more to the server, changed as told. */
function replay(
  callback: CallbackApp['received'][number] | undefined,
  change: { target?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Response> {
  if (!callback) throw new Error('there was no callback')
  const { connection: _, host: __, 'content-length': ___, ...headers } = callback.headers
  return fetch(`${app.url}${change.target ?? callback.target}`, {
    method: 'POST',
    headers: { ...(headers as Record<string, string>), ...change.headers },
    body: change.body ?? callback.body,
  })
}

function encodedCallback(parameter: Record<string, string>): Record<string, string> {
  return { 'x-oss-callback': Buffer.from(JSON.stringify(parameter)).toString('base64') }
}

/** CompleteMultipartUpload with the root key, and with a callback. */
async function completeAtOss(cloud: LocalCloud, upload: Upload, callback: UploadCallback): Promise<void> {
  const parameter = { callbackUrl: callback.url, callbackBody: callback.body }
  const reply = await send(cloud.ossUrl, {
    method: 'POST',
    key: upload.key,
    query: { uploadId: upload.uploadId ?? '' },
    headers: { 'x-oss-complete-all': 'yes', ...encodedCallback(parameter) },
  })
  if (reply.status !== 200) throw new Error(`complete: ${reply.status} ${reply.text}`)
}
