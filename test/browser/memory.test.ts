import { execFile } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { CDPSession } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, type UploadBench } from '../sdk/upload-bench.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { browserAppOptions, type SdkPage, startSdkPage } from '../support/sdk-page.ts'
import { uploadInPage } from './upload-in-page.ts'

describeInBrowser('a page that uploads', () => {
  let sdkPage: SdkPage
  let bench: UploadBench
  beforeAll(async () => {
    sdkPage = await startSdkPage()
    bench = await startUploadBench(browserAppOptions({ origins: [sdkPage.origin] }))
  })
  afterAll(async () => {
    await bench.close()
    await sdkPage.close()
  })

  /** A file of holes but for its ends: it takes no room on anybody's disk. */
  async function sparseFile(sizeBytes: number): Promise<string> {
    const path = join(bench.directory, `${sizeBytes}.bin`)
    const file = await open(path, 'w')
    await file.truncate(sizeBytes)
    await file.write('begin', 0)
    await file.write('end', sizeBytes - 3)
    await file.close()
    return path
  }

  /** Uploads a file in a new browser, and looks again and again at the memory it takes. */
  async function measure(sizeBytes: number) {
    const path = await sparseFile(sizeBytes)
    const browser = await launchChromium()
    const page = await sdkPage.open(browser)
    const pageSession = await page.context().newCDPSession(page)
    const browserSession = await browser.newBrowserCDPSession()
    await uploadInPage(page, path, { baseUrl: bench.app.url, token: bench.app.token() })
    const hasEnded = page.evaluate(() => window.task.done).then(() => true)
    let heapBytes = 0
    let processBytes = 0
    const pause = () => new Promise<false>((resolve) => setTimeout(() => resolve(false), 100))
    do {
      heapBytes = Math.max(heapBytes, await heapOf(pageSession))
      processBytes = Math.max(processBytes, await processOf(browserSession))
    } while (!(await Promise.race([hasEnded, pause()])))
    const { key } = await page.evaluate(() => window.task.done)
    await browser.close()
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    console.log(`${sizeBytes / MiB} MiB: heap ${mib(heapBytes)} MiB, whole page ${mib(processBytes)} MiB`)
    return { heapBytes, processBytes }
  }

  test('needs no more memory for 2 GB than for 200 MB', async () => {
    const small = await measure(200 * MiB)
    const large = await measure(2048 * MiB)
    expect(large.heapBytes).toBeLessThan(small.heapBytes + 8 * MiB)
    // Hashing in the worker leaves bytes behind that are collected when the browser sees fit.
    expect(large.processBytes).toBeLessThan(small.processBytes + 100 * MiB)
  }, 300_000)
})

/** Bytes of objects alive in the page, with the array buffers they hold. */
async function heapOf(session: CDPSession): Promise<number> {
  const usage = (await session.send('Runtime.getHeapUsage')) as { usedSize: number; backingStorageSize?: number }
  return usage.usedSize + (usage.backingStorageSize ?? 0)
}

/** Bytes of memory of the processes that pages and their workers run in. */
async function processOf(session: CDPSession): Promise<number> {
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  const pids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', pids.join()])
  const sizes = stdout.trim().split(/\s+/).map(Number)
  return sizes.reduce((sum, kib) => sum + kib * 1024, 0)
}

function mib(bytes: number): string {
  return (bytes / MiB).toFixed(1)
}
