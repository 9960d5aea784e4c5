import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLogger, withoutSecrets } from '../../server/log.ts'
import { createApi, createFor, MiB, md5Of, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

const canary = 'cAnArY0123456789'

/** Everything a logger writes for what `write` does with it. */
function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  let text = ''
  write(
    createLogger({
      level: 'debug',
      destination: {
        write: (line) => {
          text += line
        },
      },
    }),
  )
  return text
}

describe('the logger', () => {
  test.each<[string, unknown]>([
    ['an Authorization header', { req: { headers: { authorization: `Bearer ${canary}` } } }],
    ['a cookie', { headers: { cookie: `a=${canary}`, 'set-cookie': `b="${canary}"` } }],
    [
      'a security token, however deep',
      { a: [{ b: { securityToken: canary, SecurityToken: canary, AccessKeySecret: canary } }] },
    ],
    [
      'a presigned URL',
      {
        url: `https://b.oss/x?uploadId=1&x-oss-signature=${canary}&x-oss-credential=${canary}%2F2026&x-oss-security-token=${canary}`,
      },
    ],
    ['the secret of a webhook', { a: `whsec_${canary}==`, err: new Error(`not base64: whsec_${canary}`) }],
    [
      'a V1 URL',
      { url: `https://b.oss/x?OSSAccessKeyId=id&Expires=1&Signature=${canary}%3D&security-token=${canary}` },
    ],
    ['a URL inside another', { next: `/x?to=https%3A%2F%2Fb.oss%2Fx%3Fx-oss-signature%3D${canary}%26y%3D1` }],
    [
      'an error with a URL in its message',
      { err: new Error(`GET https://sts/?Action=AssumeRole&AccessKeySecret=${canary}&Signature=${canary} failed`) },
    ],
    ['a cause', { err: new Error('outer', { cause: new Error(`{"SecurityToken":"${canary}"}`) }) }],
    [
      'an XML reply',
      {
        text: `<Credentials><SecurityToken>${canary}</SecurityToken><AccessKeySecret>${canary}</AccessKeySecret></Credentials>`,
      },
    ],
    [
      'JSON inside text',
      { reply: JSON.stringify({ Credentials: { AccessKeySecret: canary, SecurityToken: canary } }) },
    ],
    [
      'a V4 Authorization',
      { sent: `OSS4-HMAC-SHA256 Credential=x/20260101/cn-hangzhou/oss/aliyun_v4_request,Signature=${canary}` },
    ],
    ['a V1 Authorization', { sent: `OSS LTAI:${canary}=` }],
    ['a connection URL', { databaseUrl: `postgres://user:${canary}@host:5432/db` }],
    ['a token by itself', { said: `token eyJhbGciOiJIUzI1NiJ9.${canary}.${canary}` }],
    ['a token in a query', { path: `/v1/uploads?access_token=${canary}` }],
    ['a field named password', { password: canary }],
  ])('keeps %s out', (_what, fields) => {
    const text = logged((log) => log.error(fields, 'something happened'))
    expect(text).not.toContain(canary)
    expect(text).toContain('[redacted]')
    // Still one JSON object per line.
    expect(JSON.parse(text).msg).toBe('something happened')
  })

  test('keeps them out of messages and child loggers too', () => {
    const text = logged((log) => log.child({ authorization: `Bearer ${canary}` }).info(`x-oss-signature=${canary}`))
    expect(text).not.toContain(canary)
  })

  test.each([
    'a.',
    'eyJ-',
    'eyJaaaaa.',
    'a://a:',
    'Bearer ',
    'token=',
    'a=',
    '"a":"',
    '\\"secret\\":\\"',
    '<SecurityToken>',
    '%3D',
    ' ',
  ])('takes time in proportion to a line made of %j', (piece) => {
    const secondsFor = (length: number) => {
      const line = piece.repeat(Math.ceil(length / piece.length))
      const startedAt = performance.now()
      withoutSecrets(line)
      return performance.now() - startedAt
    }
    secondsFor(10_000)
    // 100 times the length: about 100 times the time if linear, 10,000 times if quadratic, which would be minutes.
    expect(secondsFor(1_000_000)).toBeLessThan(10_000)
  })

  test('leaves everything else as it is', () => {
    const harmless =
      'ListParts: 403 AccessDenied (EC 0003-00000001), request id 5C3D9175B6FC201293AD4890; uploadId=ABC&partNumber=1'
    expect(withoutSecrets(harmless)).toBe(harmless)
  })
})

describe('the server’s log', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.close())

  test('holds no token, body, query, file name or signed URL of the requests it tells about', async () => {
    const token = app.token()
    const api = createApi(app.url, token)
    const bytes = someBytes(MiB)
    const upload = await createFor(api, bytes, { fileName: `${canary}.bin`, metadata: { note: canary } })
    const { body } = await api('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1, md5: md5Of(bytes) }] } })
    const signature = new URL(body.grants[0].url).searchParams.get('x-oss-signature') ?? 'none'
    await fetch(`${app.url}/v1/uploads?access_token=${canary}&fingerprint=${canary}`, {
      headers: { cookie: canary, 'x-custom': canary },
    })
    await fetch(`${app.url}/v1/uploads`, { headers: { authorization: `Bearer ${canary}` } })
    await fetch(`${app.url}/v1/uploads`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: `{"${canary}":`,
    })
    await expect.poll(() => app.logLines.filter((line) => line.includes('answered')).length).toBeGreaterThanOrEqual(5)
    const text = app.logLines.join('')
    for (const secret of [canary, token, signature, app.deps.config.oss.credentials?.accessKeySecret ?? 'none']) {
      expect(text).not.toContain(secret)
    }
  })
})
