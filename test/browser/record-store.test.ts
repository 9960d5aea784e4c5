import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, type UploadBench } from '../sdk/upload-bench.ts'
import { describeInBrowser, launchChromium, launchProfile, makeProfileDir } from '../support/chromium.ts'
import { browserAppOptions, type SdkPage, startSdkPage } from '../support/sdk-page.ts'
import { resultInPage, untilParts, uploadInPage } from './upload-in-page.ts'

const key = 'a key: 目录/é.bin'
const dayMs = 86_400_000

describeInBrowser('records in a browser', () => {
  let browser: Browser
  let sdkPage: SdkPage
  let context: BrowserContext
  let page: Page
  beforeAll(async () => {
    browser = await launchChromium()
    sdkPage = await startSdkPage()
  })
  beforeEach(async () => {
    context = await browser.newContext()
    page = await sdkPage.open(context)
  })
  afterEach(() => context.close())
  afterAll(async () => {
    await browser.close()
    await sdkPage.close()
  })

  /** Uses a store of its own, as each run of a page does. What a call throws is returned as text. */
  const call = (what: 'load' | 'delete', on = page) =>
    on.evaluate(
      ([name, method]) =>
        window.partway
          .createBrowserRecordStore()
          [method](name)
          .then(
            (text) => text ?? 'nothing',
            (error) => `threw ${error}`,
          ),
      [key, what] as const,
    )
  const save = (text: string, on = page) =>
    on.evaluate(
      ([name, value]) =>
        window.partway
          .createBrowserRecordStore()
          .save(name, value)
          .then(
            () => 'saved',
            () => 'threw',
          ),
      [key, text] as const,
    )
  const inLocalStorage = () => page.evaluate(() => Object.values(localStorage).join())
  /** Breaks a part of the platform in this page, and in those after a reload. */
  const breaks = {
    async indexedDb() {
      await page.addInitScript(() => {
        Object.defineProperty(window, 'indexedDB', {
          get() {
            throw new DOMException('denied', 'SecurityError')
          },
        })
      })
      await page.reload()
    },
    async silentIndexedDb() {
      await page.addInitScript(() => {
        Object.defineProperty(IDBFactory.prototype, 'open', { value: () => ({}) })
      })
      await page.reload()
    },
    async localStorage() {
      await page.addInitScript(() => {
        Object.defineProperty(window, 'localStorage', {
          get() {
            throw new DOMException('denied', 'SecurityError')
          },
        })
      })
      await page.reload()
    },
  }
  const healthy = async () => {
    await page.close()
    page = await sdkPage.open(context)
  }

  test('are kept, replaced and deleted, and are there after a reload', async () => {
    expect(await call('load')).toBe('nothing')
    await save('one')
    await save('two')
    await page.reload()
    expect(await call('load')).toBe('two')
    await call('delete')
    expect(await call('load')).toBe('nothing')
    expect(await inLocalStorage()).toBe('')
  })

  test('saved while IndexedDB was refused are found when it is there again, and the newer one counts', async () => {
    await save('old')
    await breaks.indexedDb()
    expect(await save('new')).toBe('saved')
    await healthy()
    expect(await call('load')).toBe('new')
    expect(await save('newest')).toBe('saved')
    expect(await call('load')).toBe('newest')
    expect(await inLocalStorage()).toBe('')
    await call('delete')
    expect(await call('load')).toBe('nothing')
  })

  test('go to localStorage when IndexedDB is silent, after two seconds and not again', async () => {
    await breaks.silentIndexedDb()
    const elapsedMs = await page.evaluate(async (name) => {
      const store = window.partway.createBrowserRecordStore()
      const startedAtMs = performance.now()
      await store.save(name, 'one')
      for (let count = 0; count < 20; count++) await store.load(name)
      return performance.now() - startedAtMs
    }, key)
    expect(elapsedMs).toBeGreaterThan(1900)
    expect(elapsedMs).toBeLessThan(6000)
    expect(await inLocalStorage()).toContain('one')
  })

  test('last as long as the page when all storage is refused; saving says so', async () => {
    await breaks.indexedDb()
    await breaks.localStorage()
    const [saved, loaded] = await page.evaluate(async (name) => {
      const store = window.partway.createBrowserRecordStore()
      const outcome = await store.save(name, 'one').then(
        () => 'saved',
        (error) => error.name,
      )
      return [outcome, await store.load(name)]
    }, key)
    expect([saved, loaded]).toEqual(['SecurityError', 'one'])
    expect(await call('load')).toBe('nothing')
    expect(await call('delete')).toBe('nothing')
  })

  test('are not stopped by a full disk', async () => {
    const session = await context.newCDPSession(page)
    await session.send('Storage.overrideQuotaForOrigin', { origin: sdkPage.origin, quotaSize: 1 })
    await page.evaluate(() => localStorage.setItem('filler', 'x'.repeat(5_242_000)))
    const loaded = await page.evaluate(async (name) => {
      const store = window.partway.createBrowserRecordStore()
      const outcome = await store.save(name, 'y'.repeat(4000)).then(
        () => 'saved',
        (error) => error.name,
      )
      return [outcome, (await store.load(name))?.length]
    }, key)
    expect(loaded).toEqual(['QuotaExceededError', 4000])
  })

  test('that are damaged or of something else count as none, and can be replaced', async () => {
    for (const damaged of [null, 7, 'text', { text: 7, savedAtMs: Date.now() }, { text: 'x' }, new Date()]) {
      await page.evaluate(putRaw, [key, damaged] as const)
      await page.evaluate(([name, value]) => localStorage.setItem(`partway:record:${name}`, value), [
        key,
        damaged === 7 ? '{"text":' : JSON.stringify(damaged),
      ] as const)
      expect(await call('load')).toBe('nothing')
    }
    await save('whole')
    expect(await call('load')).toBe('whole')
  })

  test('go on in localStorage when the database is not ours', async () => {
    await page.evaluate(
      () =>
        new Promise((resolve) => {
          const opening = indexedDB.open('partway', 1)
          opening.onupgradeneeded = () => opening.result.createObjectStore('something else')
          opening.onsuccess = () => resolve(opening.result.close())
        }),
    )
    expect(await save('one')).toBe('saved')
    expect(await call('load')).toBe('one')
    expect(await inLocalStorage()).toContain('one')
  })

  test('live with a database that is deleted while it is used, and do not keep it from being deleted', async () => {
    await save('one')
    const deleted = await page.evaluate(async (name) => {
      const store = window.partway.createBrowserRecordStore()
      await store.load(name)
      await new Promise((resolve, reject) => {
        const deleting = indexedDB.deleteDatabase('partway')
        deleting.onsuccess = resolve
        deleting.onblocked = reject
      })
      const gone = await store.load(name)
      await store.save(name, 'two')
      return [gone, await store.load(name)]
    }, key)
    expect(deleted).toEqual([undefined, 'two'])
  })

  test('are dropped after thirty days, wherever they are', async () => {
    const old = { text: 'old', savedAtMs: Date.now() - 31 * dayMs }
    await save('there')
    await page.evaluate(putRaw, ['old', old] as const)
    await page.evaluate((stored) => localStorage.setItem('partway:record:old', JSON.stringify(stored)), old)
    await page.evaluate(() => localStorage.setItem('the application’s own', 'stays'))
    expect(await page.evaluate(() => window.partway.createBrowserRecordStore().load('old'))).toBe(undefined)
    await save('there still')
    await page.waitForFunction(() => !localStorage.getItem('partway:record:old'))
    expect(await page.evaluate(allKeys)).toEqual([key])
    expect(await inLocalStorage()).toBe('stays')
  })
})

describeInBrowser('an upload without storage', () => {
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

  const upload = () => ({ baseUrl: bench.app.url, token: bench.app.token(), options: { partSizeBytes: MiB } })

  test('ends all the same in a browser that blocks all site data, and is found again through the server', async () => {
    const folder = await makeProfileDir()
    // What "Block all cookies" in the settings writes.
    const preferences = { profile: { default_content_setting_values: { cookies: 2 } } }
    await mkdir(join(folder.dir, 'Default'))
    await writeFile(join(folder.dir, 'Default', 'Preferences'), JSON.stringify(preferences))
    const { context, close } = await launchProfile(folder.dir)
    const page = await sdkPage.open(context)
    expect(await page.evaluate(storageErrors)).toEqual(['SecurityError', expect.not.stringMatching('open')])

    const path = await bench.file(9 * MiB + 1, 'blocked.bin')
    await uploadInPage(page, path, upload())
    await untilParts(page, 2)
    const id = await page.evaluate(() => window.task.id)
    await page.reload()
    await uploadInPage(page, path, upload())
    const result = await resultInPage(page)
    expect(result.id).toBe(id)
    expect(result.sentBytes).toBeLessThan(result.sizeBytes)
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
    await close()
    await folder.remove()
  })

  for (const [how, ruin] of [
    ['is full', fillStorage],
    ['holds nonsense', corruptRecords],
  ] as const) {
    test(`ends all the same when storage ${how}, also in the middle`, async () => {
      const browser = await launchChromium()
      const context = await browser.newContext()
      const page = await sdkPage.open(context)
      const path = await bench.file(9 * MiB + 1, 'ruined.bin')
      await uploadInPage(page, path, upload())
      await untilParts(page, 2)
      if (how === 'is full') {
        const session = await context.newCDPSession(page)
        await session.send('Storage.overrideQuotaForOrigin', { origin: sdkPage.origin, quotaSize: 1 })
      }
      await page.evaluate(ruin)
      await page.reload()
      await uploadInPage(page, path, upload())
      const result = await resultInPage(page)
      expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
      await browser.close()
    })
  }
})

/** These run in the page. */

function putRaw([name, value]: readonly [string, unknown]): Promise<void> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('partway', 1)
    opening.onupgradeneeded = () => void opening.result.createObjectStore('records')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const transaction = opening.result.transaction('records', 'readwrite')
      transaction.objectStore('records').put(value, name)
      transaction.oncomplete = () => resolve(opening.result.close())
    }
  })
}

function allKeys(): Promise<IDBValidKey[]> {
  return new Promise((resolve) => {
    const opening = indexedDB.open('partway', 1)
    opening.onsuccess = () => {
      const asking = opening.result.transaction('records').objectStore('records').getAllKeys()
      asking.onsuccess = () => {
        opening.result.close()
        resolve(asking.result)
      }
    }
  })
}

async function storageErrors(): Promise<string[]> {
  let local = 'works'
  try {
    localStorage.setItem('a', 'b')
  } catch (error) {
    local = (error as Error).name
  }
  const indexed = await new Promise<string>((resolve) => {
    try {
      const opening = indexedDB.open('probe')
      opening.onsuccess = () => resolve('open')
      opening.onerror = () => resolve(opening.error?.name ?? 'failed')
    } catch (error) {
      resolve((error as Error).name)
    }
  })
  return [local, indexed]
}

function fillStorage(): void {
  localStorage.setItem('filler', 'x'.repeat(5_242_000))
}

function corruptRecords(): Promise<void> {
  return new Promise((resolve) => {
    const opening = indexedDB.open('partway', 1)
    opening.onsuccess = () => {
      const records = opening.result.transaction('records', 'readwrite').objectStore('records')
      const walking = records.openCursor()
      walking.onsuccess = () => {
        const cursor = walking.result
        if (!cursor) {
          opening.result.close()
          return resolve()
        }
        cursor.update({ text: '{"version":1,"id":"upl_of another world', savedAtMs: 9e15 })
        cursor.continue()
      }
    }
  })
}
