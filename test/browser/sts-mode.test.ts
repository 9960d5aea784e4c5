import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, type UploadBench } from '../sdk/upload-bench.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { browserAppOptions, type SdkPage, startSdkPage } from '../support/sdk-page.ts'
import { resultInPage, uploadInPage } from './upload-in-page.ts'

const partSizeBytes = MiB
const parts = 12

describeInBrowser('a page that signs by itself', () => {
  let browser: Browser
  let sdkPage: SdkPage
  let bench: UploadBench
  beforeAll(async () => {
    sdkPage = await startSdkPage()
    ;[browser, bench] = await Promise.all([
      launchChromium(),
      startUploadBench(browserAppOptions({ origins: [sdkPage.origin] })),
    ])
  })
  beforeEach(() => bench.app.cloud.requests.reset())
  afterEach(() => bench.app.cloud.faults.clear())
  afterAll(async () => {
    await Promise.all([browser.close(), bench.close()])
    await sdkPage.close()
  })

  const requests = () => bench.app.cloud.requests
  const upload = (mode: 'sts' | 'auto') => ({
    baseUrl: bench.app.url,
    token: bench.app.token({ scopes: ['uploads', 'credentials'] }),
    options: { mode, partSizeBytes },
  })

  test('uploads with Web Crypto and the CORS rule of presigned mode, over a token that OSS refuses', async () => {
    const path = await bench.file(parts * MiB + 5, 'signed.bin')
    const page = await sdkPage.open(browser)
    bench.app.cloud.faults.add({
      match: { verb: 'UploadPart', partNumber: 7 },
      times: 1,
      effect: { kind: 'answer', status: 403, code: 'SecurityTokenExpired' },
    })
    await uploadInPage(page, path, upload('sts'))
    const { key } = await resultInPage(page)
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    expect(requests().countAnswered('UploadPart', 200)).toBe(parts + 1)
    expect(requests().count('AssumeRole')).toBe(1)
    await page.close()
  })

  test('of an origin without Web Crypto says so in mode sts, and goes on presigned in mode auto', async () => {
    const path = await bench.file(parts * MiB, 'plain.bin')
    const page = await sdkPage.open(browser)
    // What a page over plain HTTP finds; the one of this test is on loopback, which counts as safe.
    await page.evaluate(() => Object.defineProperty(crypto, 'subtle', { value: undefined }))
    await uploadInPage(page, path, upload('sts'))
    await expect(resultInPage(page)).rejects.toThrow(/invalid-argument: mode 'sts' needs Web Crypto/)
    await uploadInPage(page, path, upload('auto'))
    const { key } = await resultInPage(page)
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    expect(requests().count('AssumeRole')).toBe(0)
    await page.close()
  })
})
