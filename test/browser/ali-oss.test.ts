import { join } from 'node:path'
import express from 'express'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen } from '../../server/http/http-server.ts'
import { MiB, sha256Of, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { readObject } from '../support/objects.ts'

/** What ali-oss needs of the bucket's CORS rule: it begins and joins uploads itself. */
const corsRule = {
  allowedMethods: ['PUT', 'POST'],
  allowedHeaders: ['*'],
  exposeHeaders: ['ETag', 'x-oss-request-id'],
  maxAgeSeconds: 600,
}

declare global {
  interface Window {
    /** The official client's own build for browsers. */
    OSS: new (
      options: object,
    ) => { multipartUpload(name: string, file: Blob, options: object): Promise<unknown> }
    aliOss: typeof import('../../client-sdk/ali-oss/index.ts')
    sleepMachine(): Promise<void>
  }
}

const root = join(import.meta.dirname, '../..')
const page = `<!doctype html><link rel="icon" href="data:,"><script src="/oss/aliyun-oss-sdk.js"></script>
<script type="module">import * as aliOss from '/sdk/ali-oss/index.js'; window.aliOss = aliOss</script>`

describeInBrowser('ali-oss on a page, without a bundler', () => {
  let browser: Browser
  let pages: Awaited<ReturnType<typeof listen>>
  let origin: string
  let app: TestApp
  let cloudMs = Date.now()
  const now = () => new Date(cloudMs)
  beforeAll(async () => {
    const site = express()
      .get('/', (_request, response) => void response.type('html').send(page))
      .get('/bytes', (_request, response) => void response.type('bin').send(bytes))
      .use('/sdk', express.static(join(root, 'client-sdk/dist')))
      .use('/oss', express.static(join(root, 'node_modules/ali-oss/dist')))
    pages = await listen(site, '127.0.0.1', 0)
    origin = `http://127.0.0.1:${pages.port}`
    browser = await launchChromium()
    app = await startTestApp({
      environment: { CORS_ORIGINS: origin },
      deps: { now },
      cloud: { now, corsRules: [{ ...corsRule, allowedOrigins: [origin] }] },
      mount: {
        path: '/partway',
        before(_request, response, next) {
          response.setHeader('Date', now().toUTCString())
          next()
        },
      },
    })
  })
  afterAll(async () => {
    await browser.close()
    await pages.close(0)
    await app.close()
  })

  const bytes = someBytes(4 * MiB)

  test('outlives three tokens with 8 parts in flight, and no part is refused', async () => {
    const tab = await browser.newPage()
    const minutes20 = 20 * 60_000
    // The machine sleeps for longer than any token lives.
    await tab.exposeFunction('sleepMachine', async () => {
      cloudMs += minutes20
      await tab.clock.setSystemTime(cloudMs)
    })
    await tab.goto(origin)
    await tab.waitForFunction(() => 'aliOss' in window && 'OSS' in window)
    const token = app.token({ scopes: ['credentials:direct'], ttlSeconds: 86_400 })
    const name = await tab.evaluate(
      async ({ baseUrl, token }) => {
        const { options, prefix } = await window.aliOss.createDirectAccess({ baseUrl, token: () => token })
        let waiting: (() => void)[] = []
        // Whenever 8 parts are stored.
        const sleep = () =>
          new Promise<void>((resolve) => {
            waiting.push(resolve)
            if (waiting.length < 8) return
            const group = waiting
            waiting = []
            window.sleepMachine().then(() => group.forEach((pass) => void pass()))
          })
        const progress = (share: number) => (share > 0 && share < 1 ? sleep() : undefined)
        const file = await (await fetch('/bytes')).blob()
        const name = `${prefix}page.bin`
        await new window.OSS(options).multipartUpload(name, file, { parallel: 8, partSize: 131_072, progress })
        return name
      },
      { baseUrl: app.url, token },
    )
    const { requests } = app.cloud
    expect(requests.countAnswered('UploadPart', 200)).toBe(32)
    expect(requests.count('UploadPart')).toBe(32)
    expect(requests.count('AssumeRole')).toBe(5)
    for (const verb of Object.keys(requests.all())) expect([verb, requests.countAnswered(verb, 403)]).toEqual([verb, 0])
    cloudMs = Date.now()
    expect(sha256Of(await readObject(app.cloud, name))).toBe(sha256Of(bytes))
    await tab.close()
  })
})
