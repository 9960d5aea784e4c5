import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCloud, TEST_BUCKET, type TestCloud } from '../support/local-cloud.ts'
import { exchange, send } from './send.ts'

let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud({
    corsRules: [
      {
        allowedOrigins: ['https://app.example.com'],
        allowedMethods: ['PUT', 'GET'],
        allowedHeaders: ['content-md5', 'x-oss-*'],
        exposeHeaders: ['ETag', 'x-oss-request-id'],
        maxAgeSeconds: 600,
      },
      { allowedOrigins: ['http://*.example.org'], allowedMethods: ['GET'], allowedHeaders: ['*'] },
      { allowedOrigins: ['*'], allowedMethods: ['HEAD'] },
    ],
  })
})
afterAll(() => cloud.cleanUp())

const preflight = (headers: Record<string, string>) =>
  exchange(`${cloud.ossUrl}/${TEST_BUCKET}/a/key`, 'OPTIONS', headers, undefined)
const asking = (origin: string, method: string, names?: string) => ({
  origin,
  'access-control-request-method': method,
  ...(names ? { 'access-control-request-headers': names } : {}),
})

describe('a preflight', () => {
  it('is answered without a signature where a rule matches', async () => {
    const answer = await preflight(asking('https://app.example.com', 'PUT', 'Content-MD5, X-Oss-Meta-A'))
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-allow-methods': 'PUT, GET',
      'access-control-allow-headers': 'content-md5, x-oss-meta-a',
      'access-control-expose-headers': 'ETag, x-oss-request-id',
      'access-control-max-age': '600',
    })
  })

  it('takes one star for any text', async () => {
    expect((await preflight(asking('http://a.b.example.org', 'GET', 'anything'))).status).toBe(200)
    const open = await preflight(asking('https://anywhere', 'HEAD'))
    expect(open.headers['access-control-allow-origin']).toBe('*')
  })

  it.each([
    ['another origin', asking('https://evil.example.com', 'PUT')],
    ['another scheme', asking('http://app.example.com', 'PUT')],
    ['another method', asking('https://app.example.com', 'DELETE')],
    ['another header', asking('https://app.example.com', 'PUT', 'authorization')],
    ['a star that would have to overlap', asking('http://.example.or', 'GET')],
  ])('answers 403 to %s', async (_, headers) => {
    const answer = await preflight(headers)
    expect([answer.status, answer.error.code]).toEqual([403, 'AccessForbidden'])
    expect(answer.error.message).toMatch(/^CORSResponse: This CORS request is not allowed\./)
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  it('answers 400 without origin or method', async () => {
    const originless = await preflight({ 'access-control-request-method': 'PUT' })
    expect([originless.status, originless.error.message]).toEqual([
      400,
      'Insufficient information. Origin request header needed',
    ])
    const methodless = await preflight({ origin: 'https://app.example.com' })
    expect(methodless.error.message).toBe(
      'Insufficient information. Request Access-Control-Request-Method header needed',
    )
  })
})

describe('an actual request', () => {
  const put = (origin: string) =>
    send(cloud.ossUrl, { method: 'PUT', key: 'k', body: 'x', unsignedHeaders: { origin } })

  it('carries the headers of the matching rule, also on errors', async () => {
    expect((await put('https://app.example.com')).headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-expose-headers': 'ETag, x-oss-request-id',
      vary: 'Origin',
    })
    const refused = await send(cloud.ossUrl, {
      method: 'GET',
      key: 'k',
      sign: 'none',
      headers: { origin: 'https://app.example.com' },
    })
    expect(refused.status).toBe(403)
    expect(refused.headers['access-control-allow-origin']).toBe('https://app.example.com')
  })

  it('is carried out without them where no rule matches', async () => {
    const answer = await put('https://evil.example.com')
    expect(answer.status).toBe(200)
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  it('says Vary wherever the bucket is told to', async () => {
    const body =
      '<CORSConfiguration><CORSRule><AllowedOrigin>https://x</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule><ResponseVary>true</ResponseVary></CORSConfiguration>'
    await send(cloud.ossUrl, { method: 'PUT', bucket: 'vary-bucket' })
    expect(
      (await send(cloud.ossUrl, { method: 'PUT', bucket: 'vary-bucket', query: { cors: null }, body })).status,
    ).toBe(200)
    const answer = await send(cloud.ossUrl, { method: 'GET', bucket: 'vary-bucket', key: 'k' })
    expect(answer.headers.vary).toBe('Origin')
  })
})
