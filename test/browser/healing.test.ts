import type { UploadNotice, UploadOptions } from '@partway/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { FaultEffect } from '../../server/local-cloud/faults.ts'
import { MiB, sha256OfFile, startUploadBench, until } from '../sdk/upload-bench.ts'
import { startTestApp } from '../support/app.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { browserAppOptions, startSdkPage } from '../support/sdk-page.ts'
import { type FrontBench, portOf, startFrontBench } from './front-bench.ts'

declare global {
  interface Window {
    notices: (UploadNotice['type'] | number)[]
  }
}

const sizeBytes = 12 * MiB + 7
const minuteMs = 60_000

describeInBrowser('an upload in a browser heals without its user', () => {
  let browser: Browser
  let fronts: FrontBench
  let page: Page
  beforeAll(async () => {
    browser = await launchChromium()
    fronts = await startFrontBench({
      config: (config) => ({ ...config, uploads: { ...config.uploads, grantTtlSeconds: 4 } }),
    })
  })
  beforeEach(async () => {
    page = await fronts.sdkPage.open(browser)
  })
  afterEach(async () => {
    fronts.bench.app.cloud.faults.clear()
    fronts.bench.app.cloud.requests.reset()
    fronts.oss.answer = undefined
    fronts.server.answer = undefined
    await page.close()
  })
  afterAll(async () => {
    await browser.close()
    await fronts.close()
  })

  const onParts = (effect: FaultEffect, times: number) =>
    fronts.bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, times, effect })

  async function start(path: string, options: Pick<UploadOptions, 'stallTimeoutMs' | 'retry' | 'parallel'> = {}) {
    await page.setInputFiles('#files', path)
    const about = {
      baseUrl: fronts.server.url,
      token: fronts.bench.app.token(),
      options: { partSizeBytes: MiB, ...options },
    }
    await page.evaluate(({ baseUrl, token, options: given }) => {
      const [file] = document.querySelector<HTMLInputElement>('#files')?.files ?? []
      if (!file) throw new Error('no file was chosen')
      window.notices = []
      const client = window.partway.createUploadClient({ baseUrl, token: () => token })
      const onNotice = (notice: UploadNotice) => void window.notices.push(notice.type)
      window.task = client.upload(file, { ...given, onNotice })
    }, about)
  }

  /** Waits for the end, compares all bytes, and returns the notices. */
  async function finish(path: string): Promise<string[]> {
    const key = await page.evaluate(() =>
      window.task.done.then(
        (result) => result.key,
        (error) => {
          throw new Error(`${error.code}: ${error.message}`)
        },
      ),
    )
    expect(await fronts.bench.objectSha256(key)).toBe(await sha256OfFile(path))
    return page.evaluate(() => window.notices.map(String))
  }

  test('from URLs that expire while their parts wait', async () => {
    const path = await fronts.bench.file(sizeBytes, 'expiring.bin')
    await start(path, { parallel: 2 })
    await until(() => page.evaluate(() => window.task.progress.currentBytes > 2 * 1_048_576), 'parts were sent')
    await page.evaluate(() => window.task.pause())
    // Longer than the URLs live that were asked for ahead.
    await new Promise((resolve) => setTimeout(resolve, 4500))
    await page.evaluate(() => window.task.resume())
    await finish(path)
    expect(fronts.bench.app.cloud.requests.countAnswered('UploadPart', 403)).toBe(0)
  })

  test('from URLs that OSS finds expired', async () => {
    const path = await fronts.bench.file(sizeBytes, 'late.bin')
    onParts({ kind: 'clock', offsetMs: 20 * minuteMs }, 4)
    await start(path)
    await finish(path)
    expect(fronts.bench.app.cloud.requests.countAnswered('UploadPart', 403)).toBe(4)
  })

  test('from a 403 without CORS headers, which looks like a lost network', async () => {
    const path = await fronts.bench.file(sizeBytes, 'hidden.bin')
    let refused = 0
    fronts.oss.answer = ({ method, url }) => {
      if (method !== 'PUT' || url?.includes('partNumber=1&') || refused === 6) return undefined
      refused += 1
      return { status: 403, body: 'Request has expired.' }
    }
    await start(path)
    await finish(path)
    expect(refused).toBe(6)
  })

  test('from a 403 without CORS headers to everything for a while, from the first part on', async () => {
    const path = await fronts.bench.file(sizeBytes, 'all-hidden.bin')
    let refused = 0
    fronts.oss.answer = ({ method }) => {
      if (method !== 'PUT' || refused === 14) return undefined
      refused += 1
      return { status: 403 }
    }
    await start(path)
    await finish(path)
    expect(refused).toBe(14)
  })

  test('from 503 with Retry-After', async () => {
    const path = await fronts.bench.file(sizeBytes, 'throttled.bin')
    onParts({ kind: 'answer', status: 503, code: 'SlowDown', headers: { 'Retry-After': '1' } }, 5)
    await start(path)
    expect(await finish(path)).toContain('retry')
    expect(fronts.bench.app.cloud.requests.countAnswered('UploadPart', 503)).toBe(5)
  })

  test('from sockets that stall, before and in the middle of a part', async () => {
    const path = await fronts.bench.file(sizeBytes, 'stalled.bin')
    onParts({ kind: 'delay', delayMs: 30_000 }, 3)
    await start(path, { stallTimeoutMs: 1000 })
    const startedAtMs = Date.now()
    expect(await finish(path)).toContain('retry')
    expect(Date.now() - startedAtMs).toBeLessThan(25_000)
  })

  test('from connections that are cut while a part or its answer is on the way', async () => {
    const path = await fronts.bench.file(sizeBytes, 'cut.bin')
    onParts({ kind: 'cut', at: 'body', afterBytes: 300_000 }, 3)
    onParts({ kind: 'cut', at: 'reply' }, 3)
    await start(path)
    await finish(path)
  })

  test('from a byte that changes on its way', async () => {
    const path = await fronts.bench.file(sizeBytes, 'flipped.bin')
    onParts({ kind: 'corrupt', what: 'received' }, 2)
    await start(path)
    expect(await finish(path)).toContain('retry')
  })

  test('from a server that is restarted, and answered for by its balancer meanwhile', async () => {
    const path = await fronts.bench.file(sizeBytes, 'restarted.bin')
    fronts.bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 100 } })
    await start(path, { parallel: 2 })
    await until(() => page.evaluate(() => window.task.progress.currentBytes > 3 * 1_048_576), 'parts were sent')
    // Without CORS headers, as balancers do: the page sees nothing but failure.
    fronts.server.answer = () => ({ status: 502, body: 'Bad Gateway' })
    const config = () => fronts.bench.app.deps.config
    const next = await startTestApp({
      ...browserAppOptions({ origins: [fronts.sdkPage.origin] }),
      beside: fronts.bench.app,
      config,
    })
    try {
      await until(() => page.evaluate(() => window.notices.filter((type) => type === 'retry').length >= 3), 'it failed')
      fronts.server.setPort(portOf(next.url))
      fronts.server.answer = undefined
      await finish(path)
    } finally {
      fronts.server.setPort(portOf(fronts.bench.app.url))
      await next.close()
    }
  })

  test('from a balancer without a server when the page is new', async () => {
    const path = await fronts.bench.file(MiB, 'early.bin')
    fronts.server.answer = () => ({ status: 502, body: 'Bad Gateway' })
    await start(path)
    await until(() => page.evaluate(() => window.notices.includes('retry')), 'it failed')
    await new Promise((resolve) => setTimeout(resolve, 2000))
    fronts.server.answer = undefined
    await finish(path)
  })
})

describeInBrowser('a bucket that exposes no header', () => {
  test('is enough for an upload, which says that checksums cannot be read', async () => {
    const sdkPage = await startSdkPage()
    const bench = await startUploadBench(
      browserAppOptions({ origins: [sdkPage.origin], bucketCors: 'nothing-exposed' }),
    )
    const browser = await launchChromium()
    const page = await sdkPage.open(browser)
    const path = await bench.file(3 * MiB, 'unexposed.bin')
    await page.setInputFiles('#files', path)
    const noise: string[] = []
    page.on('console', (message) => noise.push(message.text()))
    const { key, notices } = await page.evaluate(
      async ({ baseUrl, token }) => {
        const [file] = document.querySelector<HTMLInputElement>('#files')?.files ?? []
        const seen: string[] = []
        const client = window.partway.createUploadClient({ baseUrl, token: () => token })
        const onNotice = (notice: UploadNotice) => void seen.push(notice.type)
        const result = await client.upload(file as File, { partSizeBytes: 1_048_576, onNotice }).done
        return { key: result.key, notices: seen }
      },
      { baseUrl: bench.app.url, token: bench.app.token() },
    )
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    expect(notices).toEqual(['headers-hidden'])
    expect(noise).toEqual([])
    await browser.close()
    await bench.close()
    await sdkPage.close()
  })
})
