import { afterEach, describe, expect, test } from 'vitest'
import { checkCors } from '../../server/cli/cors-check.ts'
import { type Config, loadConfig } from '../../server/config.ts'
import { corsRule, EXPOSED_HEADERS } from '../../server/cors-rule.ts'
import type { CorsRule } from '../../server/local-cloud/cors.ts'
import { startTestCloud, type TestCloud } from '../support/local-cloud.ts'
import { send } from './send.ts'

const page = 'https://uploads.example.com'
const other = 'https://app.example.com'
let cloud: TestCloud
afterEach(() => cloud?.cleanUp())

/** The configuration of a server whose bucket has these rules. */
async function configFor(corsRules: readonly CorsRule[], origins = [other]): Promise<Config> {
  cloud = await startTestCloud({ corsRules })
  const config = loadConfig({ CORS_ORIGINS: origins.join(',') })
  return { ...config, oss: { ...config.oss, publicEndpoint: cloud.ossUrl } }
}
const whole: CorsRule = {
  allowedOrigins: [page, other],
  allowedMethods: ['PUT'],
  allowedHeaders: ['*'],
  exposeHeaders: [...EXPOSED_HEADERS],
}

describe('the doctor, about the bucket’s CORS rules', () => {
  test('finds nothing wrong with the rule it prints itself', async () => {
    const config = await configFor([])
    const body = corsRule([page, other])
    expect((await send(cloud.ossUrl, { method: 'PUT', query: { cors: null }, body })).status).toBe(200)
    expect(await checkCors(config, `${page}/files`)).toEqual({
      status: 'ok',
      detail: `pages of ${page}, ${other} may upload to the bucket`,
    })
  })

  test('prints the rule, with the real origins, where a page may not upload', async () => {
    const { status, detail } = await checkCors(await configFor([{ ...whole, allowedOrigins: [other] }]), page)
    expect(status).toBe('failed')
    expect(detail).toContain(`keep pages of ${page} from uploading`)
    expect(detail).not.toContain(`keep pages of ${other}`)
    expect(detail.endsWith(corsRule([page, other]))).toBe(true)
  })

  test.each([
    ['there is no rule', []],
    ['no rule allows PUT', [{ ...whole, allowedMethods: ['GET'] }]],
    ['no rule allows the header that carries the MD5', [{ ...whole, allowedHeaders: ['x-oss-*'] }]],
  ])('sees that %s', async (_what, rules) => {
    const { status, detail } = await checkCors(await configFor(rules), null)
    expect([status, detail]).toEqual(['failed', expect.stringContaining(`keep pages of ${other} from uploading`)])
  })

  test('names the headers that pages could not read, as the first rule that matches decides', async () => {
    const first = { ...whole, exposeHeaders: ['etag', 'X-Oss-Request-Id'] }
    const { status, detail } = await checkCors(await configFor([first, whole]), null)
    expect(status).toBe('failed')
    expect(detail).toContain(`Pages of ${other} may upload, but cannot read x-oss-hash-crc64ecma, Date.`)
  })

  test('leaves nothing in the bucket, and needs no right on it', async () => {
    await checkCors(await configFor([whole]), null)
    expect(cloud.requests.count('PutObject')).toBe(0)
    expect(cloud.requests.count('UploadPart')).toBe(1)
  })

  test('has nothing to ask where no page is known, or the only one is switched off', async () => {
    expect((await checkCors(await configFor([], []), null)).status).toBe('skipped')
    const bare = { ...loadConfig({ WEB_PAGES: 'false' }) }
    expect((await checkCors(bare, page)).status).toBe('skipped')
  })

  test('says so when the bucket cannot be reached', async () => {
    const config = await configFor([])
    const gone = { ...config, oss: { ...config.oss, publicEndpoint: 'http://127.0.0.1:1' } }
    await expect(checkCors(gone, null)).rejects.toThrow('http://127.0.0.1:1 cannot be reached.')
  })
})
