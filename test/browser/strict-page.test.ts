import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { MiB, sha256OfFile } from '../sdk/upload-bench.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { type FrontBench, startFrontBench } from './front-bench.ts'
import { resultInPage, uploadInPage } from './upload-in-page.ts'

describeInBrowser('a page that allows little', () => {
  let browser: Browser
  let fronts: FrontBench | undefined
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterEach(() => fronts?.close())
  afterAll(() => browser.close())

  async function upload(csp: (urls: { server: string; oss: string }) => string, prepare = async (_page: Page) => {}) {
    fronts = await startFrontBench({ csp })
    const { bench, sdkPage, server } = fronts
    const page = await sdkPage.open(browser)
    await prepare(page)
    await page.evaluate(() => {
      window.violations = []
      document.addEventListener('securitypolicyviolation', (event) => {
        window.violations.push(event.effectiveDirective)
      })
    })
    const path = await bench.file(9 * MiB + 3, 'strict.bin')
    const options = { partSizeBytes: MiB }
    await uploadInPage(page, path, { baseUrl: server.url, token: bench.app.token(), options })
    const { key } = await resultInPage(page)
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    const violations = await page.evaluate(() => window.violations)
    const workers = page.workers().length
    await page.close()
    return { violations: [...new Set(violations)], workers }
  }

  const everything = ({ server, oss }: { server: string; oss: string }) =>
    `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src ${server} ${oss}`

  test('uploads under the strictest policy that lets hashing be fast, and never offends against it', async () => {
    expect(await upload(everything)).toEqual({ violations: [], workers: 1 })
  })

  test('uploads without WebAssembly', async () => {
    const { workers } = await upload((urls) => everything(urls).replace(" 'wasm-unsafe-eval'", ''))
    expect(workers).toBe(1)
  })

  test('uploads without workers', async () => {
    const { violations, workers } = await upload((urls) =>
      everything(urls).replace("worker-src 'self'", "worker-src 'none'"),
    )
    expect(workers).toBe(0)
    expect(violations).toEqual(['worker-src'])
  })

  test('uploads without either', async () => {
    const { workers } = await upload((urls) =>
      everything(urls).replace("worker-src 'self'", "worker-src 'none'").replace(" 'wasm-unsafe-eval'", ''),
    )
    expect(workers).toBe(0)
  })

  test('uploads when its code does not come through at first', async () => {
    const failures = new Map<string, number>()
    await upload(everything, async (page) => {
      await page.route(/\/assets\//, async (route) => {
        const url = route.request().url()
        const count = (failures.get(url) ?? 0) + 1
        failures.set(url, count)
        if (count <= 2) await route.abort()
        else await route.continue()
      })
    })
    // The engine, and the ports.
    expect(failures.size).toBeGreaterThanOrEqual(2)
  })

  test('uploads with the one file that pages without a bundler use', async () => {
    fronts = await startFrontBench()
    const { bench, sdkPage, server } = fronts
    const file = await readFile(new URL('../../client-sdk/dist/partway-client.js', import.meta.url), 'utf8')
    const page = await browser.newPage()
    await page.route('**/partway-client.js', (route) => route.fulfill({ contentType: 'text/javascript', body: file }))
    await page.goto(sdkPage.origin)
    const content = `import * as sdk from '/partway-client.js'; Object.assign(window, { partway: sdk, isSingle: true })`
    await page.addScriptTag({ type: 'module', content })
    await page.waitForFunction(() => 'isSingle' in window)
    const path = await bench.file(3 * MiB + 3, 'single.bin')
    await uploadInPage(page, path, { baseUrl: server.url, token: bench.app.token() })
    const { key } = await resultInPage(page)
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    expect(page.workers().length).toBe(1)
    await page.close()
  })
})

declare global {
  interface Window {
    violations: string[]
  }
}
