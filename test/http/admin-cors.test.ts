import { afterEach, describe, expect, it } from 'vitest'
import type { Environment } from '../../server/config.ts'
import { EXPOSED_HEADERS } from '../../server/cors-rule.ts'
import type { CorsRule } from '../../server/local-cloud/cors.ts'
import { createApi } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
afterEach(() => app.close())

const [good, hidden, refused] = ['https://good.test', 'https://hidden.test', 'https://refused.test']
const whole: CorsRule = {
  allowedOrigins: [good],
  allowedMethods: ['PUT'],
  allowedHeaders: ['*'],
  exposeHeaders: [...EXPOSED_HEADERS],
}
const rules: CorsRule[] = [
  whole,
  { ...whole, allowedOrigins: [hidden], exposeHeaders: ['ETag'] },
  { ...whole, allowedOrigins: [refused], allowedMethods: ['GET'] },
]

async function corsOf(environment: Environment, corsRules: readonly CorsRule[], token = { tenant: '*' }) {
  app = await startTestApp({ environment, cloud: { corsRules } })
  return createApi(app.url, app.token({ subject: 'op', scopes: ['admin'], ...token }))('getCors')
}

describe('the verdict on the bucket’s CORS rules', () => {
  it('says of each origin whether it may upload, and read what it should', async () => {
    const origins = [good, hidden, refused].join(',')
    const { status, body } = await corsOf({ CORS_ORIGINS: origins, WEB_PAGES: 'false' }, rules)
    expect(status).toBe(200)
    expect(body.verdicts).toEqual([
      { origin: good, verdict: 'allowed', complaint: null },
      {
        origin: hidden,
        verdict: 'allowed',
        complaint: expect.stringContaining('cannot read x-oss-hash-crc64ecma, x-oss-request-id, Date'),
      },
      { origin: refused, verdict: 'refused', complaint: expect.stringContaining(refused) },
    ])
    expect(app.cloud.requests.count('PutObject')).toBe(0)
    expect(app.cloud.requests.count('GetBucketCors')).toBe(0)
  })

  it('is about the server’s own page as well: by PUBLIC_URL', async () => {
    const { body } = await corsOf({ PUBLIC_URL: `${good}/files`, CORS_ORIGINS: good }, rules)
    expect(body.verdicts).toEqual([{ origin: good, verdict: 'allowed', complaint: null }])
  })

  it('is about the server’s own page as well: where it was reached, in local mode', async () => {
    const { body } = await corsOf({}, rules)
    expect(body.verdicts).toEqual([
      { origin: app.url, verdict: 'refused', complaint: expect.stringContaining(app.url) },
    ])
  })

  it('is unknown where the public endpoint gives no answer', async () => {
    app = await startTestApp({
      environment: { CORS_ORIGINS: good, WEB_PAGES: 'false' },
      config: (config) => ({ ...config, oss: { ...config.oss, publicEndpoint: 'http://127.0.0.1:1' } }),
    })
    const operator = createApi(app.url, app.token({ subject: 'op', tenant: '*', scopes: ['admin'] }))
    expect((await operator('getCors')).body.verdicts).toEqual([
      { origin: good, verdict: 'unknown', complaint: expect.stringContaining('cannot be reached') },
    ])
  })

  it('is none where no page uploads, and not for an administrator of one tenant', async () => {
    const { body } = await corsOf({ WEB_PAGES: 'false' }, rules)
    expect(body).toEqual({ verdicts: [] })
    const admin = createApi(app.url, app.token({ tenant: 'acme', scopes: ['admin'] }))
    expect((await admin('getCors')).body.code).toBe('forbidden')
  })
})
