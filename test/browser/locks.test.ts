import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { type SdkPage, startSdkPage } from '../support/sdk-page.ts'

declare global {
  interface Window {
    locks: import('@partway/client').UploadLocks
    log: unknown[]
    release?: (() => void) | undefined
    openChannels: number
  }
}

const news = { id: 'upl_1', currentBytes: 5, totalBytes: 10, bytesPerSecond: 2, etaSeconds: 3 }

describeInBrowser('locks across tabs', () => {
  let browser: Browser
  let sdkPage: SdkPage
  let context: BrowserContext
  beforeAll(async () => {
    browser = await launchChromium()
    sdkPage = await startSdkPage()
  })
  beforeEach(async () => {
    context = await browser.newContext()
  })
  afterEach(() => context.close())
  afterAll(async () => {
    await browser.close()
    await sdkPage.close()
  })

  async function open(): Promise<Page> {
    const page = await sdkPage.open(context)
    await page.evaluate(async () => {
      window.log = []
      window.locks = window.partway.createWebLocks()
      // So that what tests measure is not the loading of the code.
      const release = await window.locks.tryAcquire('nothing')
      release?.()
    })
    return page
  }
  /** Asks for the lock and does not wait for the answer, which goes into the log. */
  const acquire = (page: Page, name: string) =>
    page.evaluate((wanted) => {
      const { signal } = new AbortController()
      window.locks
        .acquire(wanted, signal, () => window.log.push('waits'))
        .then((release) => {
          window.release = release
          window.log.push('has it')
        })
    }, name)
  const logged = (page: Page, ...entries: unknown[]) =>
    page.waitForFunction((expected) => JSON.stringify(window.log) === expected, JSON.stringify(entries))
  const release = (page: Page) => page.evaluate(() => window.release?.())

  test('let one tab through after the other', async () => {
    const [one, two] = [await open(), await open()]
    await acquire(one, 'a file')
    await logged(one, 'has it')
    await acquire(two, 'a file')
    await logged(two, 'waits')
    expect(await two.evaluate(() => window.locks.tryAcquire('a file'))).toBe(undefined)
    await acquire(two, 'another file')
    await logged(two, 'waits', 'has it')
    await release(one)
    await logged(two, 'waits', 'has it', 'has it')
  })

  for (const [how, end] of [
    ['is closed', (page: Page) => page.close()],
    ['goes to another page', async (page: Page) => void (await page.goto('about:blank'))],
  ] as const) {
    test(`come free when their tab ${how}`, async () => {
      const [one, two] = [await open(), await open()]
      await acquire(one, 'a file')
      await logged(one, 'has it')
      await acquire(two, 'a file')
      await logged(two, 'waits')
      await end(one)
      await logged(two, 'waits', 'has it')
    })
  }

  test('hold within a tab, too', async () => {
    const page = await open()
    await acquire(page, 'a file')
    await logged(page, 'has it')
    await acquire(page, 'a file')
    await logged(page, 'has it', 'waits')
    await release(page)
    await logged(page, 'has it', 'waits', 'has it')
  })

  test('are waited for no longer than wanted, and go to the next then', async () => {
    const [one, two] = [await open(), await open()]
    await acquire(one, 'a file')
    await logged(one, 'has it')
    const reason = await two.evaluate(async () => {
      const canceller = new AbortController()
      const waiting = window.locks.acquire('a file', canceller.signal, () => canceller.abort('enough'))
      return waiting.catch((error) => error)
    })
    expect(reason).toBe('enough')
    await acquire(two, 'a file')
    await release(one)
    await logged(two, 'waits', 'has it')
  })

  test('may have any name', async () => {
    const page = await open()
    const names = ['', '-', '\ud800', '\0', '目录/é', 'x'.repeat(100_000)]
    const held = await page.evaluate(async (all) => {
      const found: boolean[] = []
      for (const name of all) {
        const lock = await window.locks.tryAcquire(name)
        window.locks.tell(name, { id: 'a', currentBytes: 0, totalBytes: 0, bytesPerSecond: 0, etaSeconds: null })
        found.push(lock !== undefined, (await window.locks.tryAcquire(name)) === undefined)
        lock?.()
      }
      return found
    }, names)
    expect(held).toEqual(Array(2 * names.length).fill(true))
  })

  test('carry news from who has them to who waits, and nothing that is none', async () => {
    const [one, two] = [await open(), await open()]
    await two.evaluate(() => void window.locks.listen('a file', (heard) => window.log.push(heard)))
    await one.evaluate((told) => {
      const nonsense = [
        null,
        'text',
        {},
        { ...told, id: 7 },
        { ...told, currentBytes: -1 },
        { ...told, totalBytes: Number.NaN },
        { ...told, bytesPerSecond: '5' },
        { ...told, etaSeconds: undefined },
      ]
      const foreign = new BroadcastChannel('partway:a file')
      for (const message of nonsense) foreign.postMessage(message)
      window.locks.tell('another file', { ...told, id: 'upl_2' })
      window.locks.tell('a file', { ...told, secret: 'what nobody asked for' } as typeof told)
    }, news)
    await logged(two, news)
  })

  test('carry news within a tab, and no more when nobody wants them', async () => {
    const page = await open()
    const heard = await page.evaluate((told) => {
      const forget = window.locks.listen('a file', (some) => window.log.push(some.currentBytes))
      window.locks.tell('a file', told)
      forget()
      window.locks.tell('a file', { ...told, currentBytes: 6 })
      return window.log
    }, news)
    expect(heard).toEqual([5])
  })

  test('leave no channel open', async () => {
    await context.addInitScript(() => {
      window.openChannels = 0
      const Real = BroadcastChannel
      window.BroadcastChannel = class extends Real {
        constructor(name: string) {
          super(name)
          window.openChannels += 1
        }
        override close() {
          window.openChannels -= 1
          super.close()
        }
      }
    })
    const page = await open()
    const counts = await page.evaluate(async (told) => {
      const found: number[] = []
      const lock = await window.locks.tryAcquire('a file')
      for (let count = 0; count < 10; count++) window.locks.tell('a file', told)
      const forget = window.locks.listen('a file', () => {})
      const forgetOther = window.locks.listen('another', () => {})
      found.push(window.openChannels)
      lock?.()
      forgetOther()
      found.push(window.openChannels)
      forget()
      for (let count = 0; count < 10; count++) window.locks.tell('a file', told)
      found.push(window.openChannels)
      return found
    }, news)
    expect(counts).toEqual([2, 1, 0])
  })

  for (const [where, ruin] of [
    ['are missing', () => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })],
    [
      'are refused',
      () => {
        const refuse = () => Promise.reject(new DOMException('denied', 'SecurityError'))
        Object.defineProperty(LockManager.prototype, 'request', { value: refuse })
        window.BroadcastChannel = class {
          constructor() {
            throw new DOMException('denied', 'SecurityError')
          }
        } as unknown as typeof BroadcastChannel
      },
    ],
  ] as const) {
    test(`still hold within a tab where Web Locks ${where}`, async () => {
      await context.addInitScript(ruin)
      const page = await open()
      await acquire(page, 'a file')
      await logged(page, 'has it')
      await acquire(page, 'a file')
      await logged(page, 'has it', 'waits')
      await release(page)
      await logged(page, 'has it', 'waits', 'has it')
      await page.evaluate((told) => {
        window.locks.listen('a file', (some) => window.log.push(some.id))
        window.locks.tell('a file', told)
      }, news)
      await logged(page, 'has it', 'waits', 'has it', 'upl_1')
    })
  }
})
