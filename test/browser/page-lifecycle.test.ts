import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { type SdkPage, startSdkPage } from '../support/sdk-page.ts'

declare global {
  interface Window {
    wakes: number
    hides: number
    forgetAll(): void
    timers: Set<unknown>
  }
}

describeInBrowser('the life of a page', () => {
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
    page = await context.newPage()
  })
  afterEach(() => context.close())
  afterAll(async () => {
    await browser.close()
    await sdkPage.close()
  })

  async function openAndListen() {
    await page.goto(sdkPage.origin)
    await page.locator('html[data-ready]').waitFor({ state: 'attached' })
    await page.evaluate(async () => {
      const lifecycle = window.partway.createPageLifecycle()
      window.wakes = 0
      window.hides = 0
      const forgetWake = lifecycle.onWake(() => window.wakes++)
      const forgetHide = lifecycle.onHide(() => window.hides++)
      window.forgetAll = () => {
        forgetWake()
        forgetHide()
      }
      // The code for it has come when that for another port has.
      await window.partway.openBlobSource(new Blob())
    })
  }
  const wakes = () => page.evaluate(() => window.wakes)
  /** Says that the page is hidden, or is not. A headless browser shows all its pages always. */
  const show = (isShown: boolean) =>
    page.evaluate(
      (state) => {
        Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state })
        document.dispatchEvent(new Event('visibilitychange'))
      },
      isShown ? 'visible' : 'hidden',
    )

  test('goes on after sleep: what runs once a few seconds ran much later', async () => {
    await page.clock.install()
    await openAndListen()
    await page.clock.runFor(60_000)
    expect(await wakes()).toBe(0)
    // As when the lid of a laptop is closed.
    await page.clock.fastForward(30_000)
    expect(await wakes()).toBe(1)
    await page.clock.runFor(60_000)
    expect(await wakes()).toBe(1)
  })

  test('is no sleep while a hidden page runs its timers once a minute', async () => {
    await page.clock.install()
    await openAndListen()
    await show(false)
    for (let minute = 0; minute < 5; minute++) await page.clock.fastForward(60_000)
    await show(true)
    expect(await wakes()).toBe(0)
    await show(false)
    await page.clock.fastForward(10 * 60_000)
    expect(await wakes()).toBe(1)
  })

  test('goes on after its browser froze it', async () => {
    await openAndListen()
    // A headless browser shows all its pages and freezes none, even when it is asked to.
    await page.evaluate(() => document.dispatchEvent(new Event('resume')))
    expect(await wakes()).toBe(1)
  })

  test('goes on when it is shown again by the back button', async () => {
    await openAndListen()
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false })))
    expect(await wakes()).toBe(0)
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))
    expect(await wakes()).toBe(1)
  })

  test('may end whenever it is hidden or left', async () => {
    await openAndListen()
    await show(false)
    expect(await page.evaluate(() => window.hides)).toBe(1)
    await show(true)
    expect(await page.evaluate(() => window.hides)).toBe(1)
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide')))
    expect(await page.evaluate(() => window.hides)).toBe(2)
  })

  test('is watched only while somebody wants to know', async () => {
    await context.addInitScript(() => {
      window.timers = new Set()
      const { setInterval: start, clearInterval: stop } = window
      Object.assign(window, {
        setInterval(...timing: Parameters<typeof start>) {
          const timer = start(...timing)
          window.timers.add(timer)
          return timer
        },
        clearInterval(timer: number) {
          window.timers.delete(timer)
          stop(timer)
        },
      })
    })
    await openAndListen()
    await page.evaluate(() => {
      const lifecycle = window.partway.createPageLifecycle()
      const forgets = [1, 2, 3].map(() => lifecycle.onWake(() => window.wakes++))
      const { forgetAll } = window
      window.forgetAll = () => {
        for (const forget of forgets) forget()
        forgetAll()
      }
      return window.partway.openBlobSource(new Blob())
    })
    // One for each who watches, however many want to know of it.
    expect(await page.evaluate(() => window.timers.size)).toBe(2)
    await page.evaluate(() => document.dispatchEvent(new Event('resume')))
    expect(await wakes()).toBe(4)
    await page.evaluate(() => {
      window.wakes = 0
    })
    await page.evaluate(() => window.forgetAll())
    expect(await page.evaluate(() => window.timers.size)).toBe(0)
    await show(false)
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))
    expect(await page.evaluate(() => [window.wakes, window.hides])).toEqual([0, 0])
  })
})

describeInBrowser('a browser without a network', () => {
  test('waits until there is one, or until it need not', async () => {
    const browser = await launchChromium()
    const sdkPage = await startSdkPage()
    const context = await browser.newContext()
    const page = await sdkPage.open(context)
    // No timer runs by itself: it is the event that counts.
    await page.clock.install()
    await page.clock.pauseAt(Date.now() + 60_000)
    const begin = () =>
      page.evaluate(() => {
        window.wakes = 0
        void window.partway.browserClock.online().then(() => window.wakes++)
      })
    await begin()
    expect(await page.evaluate(() => window.wakes)).toBe(1)
    await context.setOffline(true)
    await begin()
    expect(await page.evaluate(() => window.wakes)).toBe(0)
    const reason = await page.evaluate(() =>
      window.partway.browserClock.online(AbortSignal.abort('enough')).catch((error) => error),
    )
    expect(reason).toBe('enough')
    const later = await page.evaluate(() => {
      const canceller = new AbortController()
      queueMicrotask(() => canceller.abort('enough by now'))
      return window.partway.browserClock.online(canceller.signal).catch((error) => error)
    })
    expect(later).toBe('enough by now')
    await context.setOffline(false)
    await page.waitForFunction(() => window.wakes === 1)

    // A page that was frozen may have missed the event.
    await page.evaluate(() =>
      addEventListener('online', (event) => event.stopImmediatePropagation(), { capture: true }),
    )
    await context.setOffline(true)
    await begin()
    await context.setOffline(false)
    await page.waitForFunction(() => navigator.onLine)
    expect(await page.evaluate(() => window.wakes)).toBe(0)
    await page.clock.runFor(5000)
    expect(await page.evaluate(() => window.wakes)).toBe(1)
    await browser.close()
    await sdkPage.close()
  })
})
