import { createPublicKey } from 'node:crypto'
import { crc64 } from '@partway/client/contract'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isSignedByOss } from '../../server/oss/callback-signature.ts'
import { answerJson, type CallbackApp, type ReceivedCallback, startCallbackApp } from '../support/callback-app.ts'
import { startTestCloud, TEST_BUCKET, type TestCloud } from '../support/local-cloud.ts'
import { type Received, send } from './send.ts'

const bytes = Buffer.alloc(150_000, 'callback')
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')

let cloud: TestCloud
let application: CallbackApp

beforeAll(async () => {
  cloud = await startTestCloud({ callbackTimeoutMs: 300 })
  application = await startCallbackApp()
})
afterAll(async () => {
  await application.close()
  await cloud.cleanUp()
})
beforeEach(() => {
  application.received = []
  application.answer = (response) => answerJson(response, { Status: 'OK' })
})

let lastKey = 0
async function complete(
  callback: Record<string, unknown>,
  vars?: Record<string, string>,
): Promise<Received & { key: string }> {
  const key = `目录/call back-${++lastKey}`
  const started = await send(cloud.ossUrl, {
    method: 'POST',
    key,
    query: { uploads: null },
    headers: { 'content-type': 'video/mp4' },
  })
  const uploadId = started.xml('UploadId') ?? ''
  await send(cloud.ossUrl, { method: 'PUT', key, query: { partNumber: '1', uploadId }, body: bytes })
  const headers = {
    'x-oss-complete-all': 'yes',
    'x-oss-callback': base64({ callbackUrl: `${application.url}/done`, ...callback }),
    ...(vars ? { 'x-oss-callback-var': base64(vars) } : {}),
  }
  return { ...(await send(cloud.ossUrl, { method: 'POST', key, query: { uploadId }, headers })), key }
}

const head = (key: string) => send(cloud.ossUrl, { method: 'HEAD', key })

async function isSigned({ target, body, headers }: ReceivedCallback): Promise<boolean> {
  const keyUrl = Buffer.from(String(headers['x-oss-pub-key-url']), 'base64').toString()
  const key = createPublicKey(await (await fetch(keyUrl)).text())
  return isSignedByOss({ target, body: Buffer.from(body), signature: String(headers.authorization) }, key)
}

describe('a callback', () => {
  it('is posted over HTTP/1.0 once the object is there, and its answer takes the place of the XML', async () => {
    let wasThere = 0
    application.answer = async (response, { body }) => {
      const { object } = Object.fromEntries(new URLSearchParams(body))
      wasThere = (await head(object ?? '')).status
      answerJson(response, { Status: 'OK', html: '<Error><Code>No</Code></Error>' })
    }
    const answer = await complete({ callbackBody: 'object=${object}' })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(JSON.parse(answer.text)).toEqual({ Status: 'OK', html: '<Error><Code>No</Code></Error>' })
    expect(answer.headers.etag).toMatch(/^"[0-9A-F]{32}-1"$/)
    expect(answer.headers['x-oss-hash-crc64ecma']).toBe(crc64(bytes).toString())
    expect(wasThere).toBe(200)
    expect(application.received).toHaveLength(1)
    const [callback] = application.received
    expect(callback?.httpVersion).toBe('1.0')
    expect(callback?.headers).toMatchObject({
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(Buffer.byteLength(callback?.body ?? '')),
      host: new URL(application.url).host,
    })
  })

  it('knows every system variable and the caller’s own, URL-encoded in a form', async () => {
    const names = [
      'bucket',
      'object',
      'etag',
      'size',
      'mimeType',
      'imageInfo.height',
      'imageInfo.width',
      'imageInfo.format',
    ]
    const all = [...names, 'crc64', 'contentMd5', 'vpcId', 'clientIp', 'reqId', 'operation', 'x:who', 'x:none']
    const body = all.map((name) => `${name}=\${${name}}`).join('&')
    const answer = await complete({ callbackBody: body }, { 'x:who': 'a&b=ü 1' })
    const [callback] = application.received
    expect(Object.fromEntries(new URLSearchParams(callback?.body))).toEqual({
      bucket: TEST_BUCKET,
      object: answer.key,
      etag: answer.headers.etag?.replaceAll('"', ''),
      size: '150000',
      mimeType: 'video/mp4',
      'imageInfo.height': '',
      'imageInfo.width': '',
      'imageInfo.format': '',
      crc64: crc64(bytes).toString(),
      contentMd5: '',
      vpcId: '',
      clientIp: '127.0.0.1',
      reqId: answer.headers['x-oss-request-id'],
      operation: 'CompleteMultipartUpload',
      'x:who': 'a&b=ü 1',
      'x:none': '',
    })
  })

  it('writes JSON when asked to, quotes included', async () => {
    const callbackBody = '{"object":${object},"size":${size},"who":${x:who}}'
    const answer = await complete({ callbackBody, callbackBodyType: 'application/json' }, { 'x:who': 'say "hi"\\' })
    const [callback] = application.received
    expect(callback?.headers['content-type']).toBe('application/json')
    expect(JSON.parse(callback?.body ?? '')).toEqual({ object: answer.key, size: 150_000, who: 'say "hi"\\' })
  })

  it('is signed over the decoded path, the query and the body, and the key outlives a restart', async () => {
    await complete({ callbackUrl: `${application.url}/a%20b/%E4%B8%AD?q=%20x`, callbackBody: 'size=${size}' })
    const [callback] = application.received
    expect(callback && (await isSigned(callback))).toBe(true)
    expect(callback && (await isSigned({ ...callback, body: `${callback.body} ` }))).toBe(false)
    expect(callback && (await isSigned({ ...callback, target: '/a%20b/%E4%B8%AD?q=x' }))).toBe(false)
    const pem = async () => (await fetch(`${cloud.ossUrl}/callback_pub_key_v1.pem`)).text()
    const before = await pem()
    cloud = await cloud.restart()
    expect(await pem()).toBe(before)
  })

  it('goes to the Host it is told, and to the next address when one fails', async () => {
    const callbackUrl = `http://127.0.0.1:1/none;${application.url}/second`
    const answer = await complete({ callbackUrl, callbackHost: 'app.example.com', callbackBody: 'x' })
    expect(answer.status).toBe(200)
    expect(application.received.map(({ target, headers }) => [target, headers.host])).toEqual([
      ['/second', 'app.example.com'],
    ])
  })

  it('is taken from the URL as well, and on PutObject, where it tells the MD5', async () => {
    const callback = base64({ callbackUrl: application.url, callbackBody: '${operation} ${contentMd5} ${size}' })
    const query = { callback, 'callback-var': base64({ 'x:a': 'b' }) }
    const answer = await send(cloud.ossUrl, { method: 'PUT', key: 'put', body: 'hello world', query, sign: 'query' })
    expect([answer.status, answer.text]).toEqual([200, '{"Status":"OK"}'])
    expect(decodeURIComponent(application.received[0]?.body ?? '')).toBe('PutObject XrY7u+Ae7tCTyyK7j1rNww== 11')
  })

  const failures: [string, CallbackApp['answer'], string][] = [
    [
      'redirects',
      (response) => response.writeHead(301, { location: '/x', 'content-length': '0' }).end(),
      'Error status : 301.',
    ],
    ['answers 500', (response) => answerJson(response, {}, 500), 'Error status : 500.'],
    [
      'answers no JSON',
      (response) => response.setHeader('content-length', '2').end('ok'),
      'Response body is not valid json format.',
    ],
    [
      'answers a little more than 1 MB',
      (response) => answerJson(response, 'x'.repeat(1024 * 1024)),
      'Response body is not valid json format.',
    ],
    [
      'answers without end',
      (response) => answerJson(response, 'x'.repeat(3 * 1024 * 1024)),
      'Error status : -1.OSS can not connect to your callbackUrl, please check it.',
    ],
    [
      'does not say how long its answer is',
      (response) => response.write('{}', () => response.end()),
      'Response has no Content-Length.',
    ],
    [
      'hangs up',
      (response) => response.destroy(),
      'Error status : -1.OSS can not connect to your callbackUrl, please check it.',
    ],
    ['takes too long', () => {}, 'Error status : -1.OSS can not connect to your callbackUrl, please check it.'],
  ]
  it.each(failures)(
    'fails with 203 when the application %s; the object is stored, the upload gone, and nothing sent again',
    async (_, answer, message) => {
      application.answer = answer
      const reply = await complete({ callbackBody: 'x' })
      expect(reply.status).toBe(203)
      expect(reply.error).toEqual({ code: 'CallbackFailed', ec: '0007-00000203', message })
      expect((await head(reply.key)).headers['content-length']).toBe(String(bytes.length))
      expect(application.received).toHaveLength(1)
    },
  )

  it.each<[string, Record<string, unknown>, Record<string, string>?]>([
    ['has no address', { callbackUrl: undefined, callbackBody: 'x' }],
    ['has an empty body', { callbackBody: '' }],
    ['has a body of another type', { callbackBody: 'x', callbackBodyType: 'text/plain' }],
    ['names a port that is none', { callbackBody: 'x', callbackUrl: 'http://127.0.0.1:70000/' }],
    ['names an IPv6 address', { callbackBody: 'x', callbackUrl: 'http://[::1]/' }],
    ['names six addresses', { callbackBody: 'x', callbackUrl: Array(6).fill('http://a/').join(';') }],
    ['has a variable that does not end', { callbackBody: '${object' }],
    ['has a variable nobody knows, for their case matters', { callbackBody: '${Object}' }],
    ['has an SNI setting that is none', { callbackBody: 'x', callbackSNI: 'yes' }],
    ['is longer than 5 KB', { callbackBody: 'x'.repeat(5_000) }],
    ['has variables without x:', { callbackBody: 'x' }, { who: 'me' }],
    ['has variables in upper case', { callbackBody: 'x' }, { 'x:Who': 'me' }],
  ])('is refused before anything is joined when it %s', async (_, callback, vars) => {
    const reply = await complete(callback, vars)
    expect([reply.status, reply.error.code]).toEqual([400, 'InvalidArgument'])
    expect((await head(reply.key)).status).toBe(404)
    expect(application.received).toEqual([])
  })

  it('is refused when it stands in the header and in the URL, or is not base64 or no JSON', async () => {
    const callback = base64({ callbackUrl: application.url, callbackBody: 'x' })
    const twice = { query: { callback }, headers: { 'x-oss-callback': callback } }
    for (const sending of [twice, { headers: { 'x-oss-callback': '{}' } }, { headers: { 'x-oss-callback': 'eA==' } }]) {
      const reply = await send(cloud.ossUrl, { method: 'PUT', key: 'refused', body: 'x', ...sending })
      expect([reply.status, reply.error.code]).toEqual([400, 'InvalidArgument'])
    }
    expect((await head('refused')).status).toBe(404)
  })
})
