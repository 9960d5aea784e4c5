import type { UploadNotice } from '@partway/client'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, type UploadBench } from '../sdk/upload-bench.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { browserAppOptions, type SdkPage, startSdkPage } from '../support/sdk-page.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { portOf } from './front-bench.ts'

/** Browsers open six connections to a host. What waits for one inside the browser looks like what has stalled. */
describeInBrowser('more parts than the browser has connections', () => {
  let browser: Browser
  let sdkPage: SdkPage
  let bench: UploadBench
  let line: TcpProxy
  let context: BrowserContext
  beforeAll(async () => {
    browser = await launchChromium()
    sdkPage = await startSdkPage()
    const ossPorts: number[] = []
    // A part takes some four seconds when six of them share it.
    line = await startTcpProxy(ossPorts, 1.5 * MiB)
    bench = await startUploadBench({
      ...browserAppOptions({ origins: [sdkPage.origin] }),
      config(config) {
        ossPorts.push(portOf(config.oss.publicEndpoint))
        return { ...config, oss: { ...config.oss, publicEndpoint: `http://127.0.0.1:${line.port}` } }
      },
    })
  })
  beforeEach(async () => {
    context = await browser.newContext()
  })
  afterEach(() => context.close())
  afterAll(async () => {
    await browser.close()
    await bench.close()
    await line.close()
    await sdkPage.close()
  })

  /** Uploads a file and resolves with its key and with what went wrong on the way. */
  async function upload(page: Page, path: string, parallel: number) {
    await page.setInputFiles('#files', path)
    return page.evaluate(
      async ({ baseUrl, token, parallel: limit }) => {
        const [file] = document.querySelector<HTMLInputElement>('#files')?.files ?? []
        const notices: string[] = []
        const onNotice = (notice: UploadNotice) => {
          notices.push('error' in notice ? String(notice.error) : notice.type)
        }
        const client = window.partway.createUploadClient({ baseUrl, token: () => token })
        const options = { partSizeBytes: 1_048_576, parallel: limit, stallTimeoutMs: 6000, onNotice }
        const { key } = await client.upload(file as File, options).done
        return { key, notices }
      },
      { baseUrl: bench.app.url, token: bench.app.token(), parallel },
    )
  }

  test('wait for one without being taken for stalled, in one tab', async () => {
    const path = await bench.file(24 * MiB, 'one-tab.bin')
    const { key, notices } = await upload(await sdkPage.open(context), path, 24)
    expect(notices).toEqual([])
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
  })

  test('wait for one without being taken for stalled, in five tabs', async () => {
    const paths = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => bench.file(4 * MiB, name)))
    const pages = await Promise.all(paths.map(() => sdkPage.open(context)))
    const results = await Promise.all(pages.map((page, index) => upload(page, paths[index] ?? '', 4)))
    for (const [index, { key, notices }] of results.entries()) {
      expect(notices).toEqual([])
      expect(await bench.objectSha256(key)).toBe(await sha256OfFile(paths[index] ?? ''))
    }
  })
})
