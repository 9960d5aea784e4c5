import { createUploadClient } from '@partway/client/node'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, type UploadBench, until } from '../sdk/upload-bench.ts'
import { describeInBrowser, launchChromium, launchProfile, makeProfileDir, type Profile } from '../support/chromium.ts'
import { browserAppOptions, type SdkPage, startSdkPage } from '../support/sdk-page.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { resultInPage, untilBytes, untilParts, untilState, uploadInPage } from './upload-in-page.ts'

const partSizeBytes = 4 * MiB
const parallel = 4

describeInBrowser('an upload in a browser', () => {
  let sdkPage: SdkPage
  let bench: UploadBench
  /** All bytes to OSS pass here. */
  let line: TcpProxy
  beforeAll(async () => {
    sdkPage = await startSdkPage()
    const ossPorts: number[] = []
    line = await startTcpProxy(ossPorts, 40 * MiB)
    bench = await startUploadBench({
      ...browserAppOptions({ origins: [sdkPage.origin] }),
      config(config) {
        ossPorts.push(Number(new URL(config.oss.publicEndpoint).port))
        return { ...config, oss: { ...config.oss, publicEndpoint: `http://127.0.0.1:${line.port}` } }
      },
    })
  })
  afterAll(async () => {
    await bench.close()
    await line.close()
    await sdkPage.close()
  })
  const upload = () => ({ baseUrl: bench.app.url, token: bench.app.token(), options: { parallel, partSizeBytes } })

  test('arrives whole over five cuts of the network, two reloads and a killed browser', async () => {
    const sizeBytes = 300 * MiB + 12_345
    const path = await bench.file(sizeBytes, 'three-hundred.bin')
    const folder = await makeProfileDir()
    const sentBefore = line.sentBytes()
    let profile = await launchProfile(folder.dir)
    let page = await sdkPage.open(profile.context)
    const cut = async () => {
      line.interrupt()
      await new Promise((resolve) => setTimeout(resolve, 300))
      line.restore()
    }
    const goOffline = async ({ context }: Profile) => {
      await context.setOffline(true)
      await page.waitForFunction(() => !navigator.onLine)
      await context.setOffline(false)
    }

    await uploadInPage(page, path, upload())
    await untilBytes(page, 30 * MiB)
    await cut()
    await untilBytes(page, 60 * MiB)
    const id = await page.evaluate(() => window.task.id)
    await page.reload()
    await uploadInPage(page, path, upload())
    await untilBytes(page, 100 * MiB)
    await goOffline(profile)
    await untilBytes(page, 130 * MiB)
    await cut()
    await untilBytes(page, 160 * MiB)
    await profile.kill()
    profile = await launchProfile(folder.dir)
    page = await sdkPage.open(profile.context)
    await uploadInPage(page, path, upload())
    await untilBytes(page, 200 * MiB)
    await goOffline(profile)
    await untilBytes(page, 230 * MiB)
    await page.reload()
    await uploadInPage(page, path, upload())
    await untilBytes(page, 260 * MiB)
    await cut()
    const result = await resultInPage(page)

    expect(result.id).toBe(id)
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
    const sentTwiceBytes = line.sentBytes() - sentBefore - sizeBytes
    console.log(`sent twice over 8 interruptions: ${(sentTwiceBytes / MiB).toFixed(1)} MiB`)
    // Headers and preflights pass the line, too.
    expect(sentTwiceBytes).toBeLessThan(8 * parallel * partSizeBytes + MiB)
    await profile.close()
    await folder.remove()
  })

  test('begun in Node is finished in the browser, and the other way round', async () => {
    const sizeBytes = 40 * MiB + 5
    const path = await bench.file(sizeBytes, 'handed-over.bin')
    const node = createUploadClient({ baseUrl: bench.app.url, token: () => bench.app.token() })
    const begun = node.upload(path, { parallel: 2, partSizeBytes, deleteUploadOnCancelling: false })
    await until(() => begun.parts?.isStored(3) ?? false, 'Node had sent some parts')
    await begun.cancel()

    const browser = await launchChromium()
    const page = await sdkPage.open(browser)
    await uploadInPage(page, path, upload())
    const finished = await resultInPage(page)
    expect(finished.id).toBe(begun.id)
    expect(finished.sentBytes).toBeLessThan(sizeBytes - 4 * MiB)
    expect(await bench.objectSha256(finished.key)).toBe(await sha256OfFile(path))

    const otherPath = await bench.file(sizeBytes, 'handed-back.bin')
    await uploadInPage(page, otherPath, upload())
    await untilParts(page, 3)
    const id = await page.evaluate(() => window.task.id)
    await page.close()
    const result = await node.upload(otherPath).done
    expect(result.id).toBe(id)
    expect(result.sentBytes).toBeLessThan(sizeBytes - 4 * MiB)
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(otherPath))
    await browser.close()
  })

  test('tells the server what is stored when its page is left', async () => {
    const path = await bench.file(80 * MiB, 'left.bin')
    const browser = await launchChromium()
    const page = await sdkPage.open(browser)
    await uploadInPage(page, path, upload())
    await untilParts(page, 5)
    const id = (await page.evaluate(() => window.task.id)) ?? ''
    await page.goto('about:blank')
    const isKnown = async () => (await bench.client.getUpload(id)).upload.storedBytes >= 5 * partSizeBytes
    await until(isKnown, 'the server knew what was stored')
    await browser.close()
  })
})

describeInBrowser('the same file in two tabs', () => {
  let sdkPage: SdkPage
  let bench: UploadBench
  let browser: Browser
  beforeAll(async () => {
    sdkPage = await startSdkPage()
    bench = await startUploadBench(browserAppOptions({ origins: [sdkPage.origin] }))
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser.close()
    await bench.close()
    await sdkPage.close()
  })
  beforeEach(() => bench.app.cloud.requests.reset())
  const upload = () => ({ baseUrl: bench.app.url, token: bench.app.token(), options: { parallel, partSizeBytes } })
  const slowly = () =>
    bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 150 } })

  async function openTwo(path: string): Promise<{ first: Page; second: Page; context: BrowserContext }> {
    const context = await browser.newContext()
    const first = await sdkPage.open(context)
    const second = await sdkPage.open(context)
    await uploadInPage(first, path, upload())
    await untilBytes(first, 1)
    await uploadInPage(second, path, upload())
    await untilState(second, 'waiting')
    return { first, second, context }
  }

  test('is one upload and one set of PUTs; the second tab shows how far it is', async () => {
    const path = await bench.file(60 * MiB + 1, 'two-tabs.bin')
    const rule = slowly()
    const { first, second, context } = await openTwo(path)
    await untilBytes(second, 8 * MiB)
    expect(await second.evaluate(() => window.task.state)).toBe('waiting')
    const [one, two] = await Promise.all([resultInPage(first), resultInPage(second)])
    expect(two).toMatchObject({ id: one.id, key: one.key, sentBytes: 0 })
    expect(bench.app.cloud.requests.count('UploadPart')).toBe(16)
    expect(bench.app.cloud.requests.count('InitiateMultipartUpload')).toBe(1)
    expect(await bench.objectSha256(one.key)).toBe(await sha256OfFile(path))
    bench.app.cloud.faults.remove(rule)
    await context.close()
  })

  test('is taken over by the second when the first is closed', async () => {
    const path = await bench.file(60 * MiB + 1, 'taken-over.bin')
    const rule = slowly()
    const { first, second, context } = await openTwo(path)
    await untilBytes(first, 24 * MiB)
    const id = await first.evaluate(() => window.task.id)
    await first.close()
    const result = await resultInPage(second)
    expect(result.id).toBe(id)
    expect(result.sentBytes).toBeLessThan(result.sizeBytes)
    expect(bench.app.cloud.requests.count('UploadPart')).toBeLessThanOrEqual(16 + parallel)
    expect(bench.app.cloud.requests.count('InitiateMultipartUpload')).toBe(1)
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
    bench.app.cloud.faults.remove(rule)
    await context.close()
  })
})
