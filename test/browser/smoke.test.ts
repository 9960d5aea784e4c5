import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestApp } from '../support/app.ts'
import { describeInBrowser, launchChromium, launchProfile, makeProfileDir } from '../support/chromium.ts'
import { type SdkPage, startBrowserApp, startSdkPage } from '../support/sdk-page.ts'

describeInBrowser('a page with the built SDK', () => {
  let browser: Browser
  let sdkPage: SdkPage
  let app: TestApp
  beforeAll(async () => {
    browser = await launchChromium()
    sdkPage = await startSdkPage()
    app = await startBrowserApp({ origins: [sdkPage.origin] })
  })
  afterAll(async () => {
    await browser.close()
    await sdkPage.close()
    await app.close()
  })

  test('has the client', async () => {
    const page = await sdkPage.open(browser)
    expect(await page.evaluate(() => typeof window.partway.createUploadClient)).toBe('function')
    await page.close()
  })

  test('reaches the server', async () => {
    const page = await sdkPage.open(browser)
    const time = await page.evaluate(async (url) => (await fetch(`${url}/v1/time`)).json(), app.url)
    expect(time).toEqual({ now: expect.any(String) })
    await page.close()
  })

  test('of another origin does not', async () => {
    const other = await startSdkPage()
    const page = await other.open(browser)
    const failed = page.evaluate(async (url) => (await fetch(`${url}/v1/time`)).status, app.url)
    await expect(failed).rejects.toThrow('Failed to fetch')
    await page.close()
    await other.close()
  })

  test('obeys its Content-Security-Policy', async () => {
    const strict = await startSdkPage({ csp: "default-src 'none'; script-src 'self'; connect-src 'self'" })
    const page = await strict.open(browser)
    const failed = page.evaluate(async (url) => (await fetch(`${url}/v1/time`)).status, app.url)
    await expect(failed).rejects.toThrow('Failed to fetch')
    await page.close()
    await strict.close()
  })

  test('reads the files chosen for it, whatever their size', async () => {
    const folder = await makeProfileDir()
    const path = join(folder.dir, 'words.txt')
    await writeFile(path, 'some words')
    const page = await sdkPage.open(browser)
    await page.setInputFiles('#files', path)
    const read = await page.evaluate(() => document.querySelector<HTMLInputElement>('#files')?.files?.[0]?.text())
    expect(read).toBe('some words')
    await page.close()
    await folder.remove()
  })
})

describeInBrowser('a browser that is killed', () => {
  test('leaves no process behind, and its profile is there for the next', async () => {
    const folder = await makeProfileDir()
    const sdkPage = await startSdkPage()
    const first = await launchProfile(folder.dir)
    expect(await visits(await sdkPage.open(first.context))).toBe(1)
    await first.kill()
    expect(await processesOn(folder.dir)).toEqual([])

    const second = await launchProfile(folder.dir)
    expect(await visits(await sdkPage.open(second.context))).toBe(2)
    await second.close()
    expect(await processesOn(folder.dir)).toEqual([])
    await sdkPage.close()
    await folder.remove()
  })
})

/** Adds this visit to those that the profile remembers, and counts them. */
function visits(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open('visits', 1)
        opening.onupgradeneeded = () => opening.result.createObjectStore('visits', { autoIncrement: true })
        opening.onerror = () => reject(opening.error)
        opening.onsuccess = () => {
          const transaction = opening.result.transaction('visits', 'readwrite')
          transaction.objectStore('visits').add('a visit')
          const counting = transaction.objectStore('visits').count()
          transaction.oncomplete = () => resolve(counting.result)
          transaction.onabort = () => reject(transaction.error)
        }
      }),
  )
}

/** The processes that name this profile in their command lines. */
async function processesOn(dir: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,args'], { maxBuffer: 10_000_000 })
  return stdout.split('\n').filter((line) => line.includes(dir))
}
