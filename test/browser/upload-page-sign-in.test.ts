import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { TestApp } from '../support/app.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import {
  expectClean,
  expectUploaded,
  type Files,
  makeFiles,
  openUploadPage,
  type PageUnderTest,
  startPageApp,
} from './upload-page-support.ts'

const MB = 1_000_000

describeInBrowser('signing in to the upload page', () => {
  let browser: Browser
  /** In local mode, which prints links that sign in. */
  let local: TestApp
  /** Anywhere else. */
  let live: TestApp
  let files: Files
  const open: PageUnderTest[] = []
  beforeAll(async () => {
    browser = await launchChromium()
    local = await startPageApp()
    live = await startPageApp({ beside: local, config: (config) => ({ ...config, localCloud: null }) })
    files = await makeFiles()
  })
  afterEach(async () => {
    local.cloud.faults.clear()
    for (const one of open.splice(0)) await one.close()
  })
  afterAll(async () => {
    await browser.close()
    await live.close()
    await local.close()
    await files.remove()
  })
  async function openPage(app: TestApp, options: Parameters<typeof openUploadPage>[2] = {}): Promise<PageUnderTest> {
    const one = await openUploadPage(browser, app, options)
    open.push(one)
    return one
  }
  const choose = ({ page }: PageUnderTest) => page.getByRole('button', { name: 'Choose files' })
  async function typeToken({ page }: PageUnderTest, token: string) {
    await page.getByLabel('Token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }

  test('is done by the link that local mode prints, and lasts over a reload', async () => {
    const one = await openPage(local)
    await choose(one).waitFor()
    await one.page.reload()
    await choose(one).waitFor()
    expect(await one.page.locator('#sign-in').isHidden()).toBe(true)
    expect(new URL(one.page.url()).hash).toBe(`#token=${one.token}`)
    await expectClean(one)
  })

  test('by another link in the same tab changes who is signed in', async () => {
    const one = await openPage(local, { hash: '' })
    await one.page.getByLabel('Token').waitFor()
    expect(await choose(one).isHidden()).toBe(true)
    await one.page.evaluate((token) => {
      location.hash = `token=${token}`
    }, one.token)
    await choose(one).waitFor()
  })

  test('elsewhere asks for a token, which is in the page’s memory only', async () => {
    const one = await openPage(live, { hash: '' })
    await one.page.getByText('Your application’s backend makes it for you').waitFor()
    expect(await one.page.getByLabel('Token').getAttribute('type')).toBe('password')
    await typeToken(one, one.token)
    await choose(one).waitFor()
    const { path, bytes } = await files.make('signed-in.bin', 5)
    await one.page.setInputFiles('#files', path)
    await one.untilState('signed-in.bin', 'completed')
    await expectUploaded(live, one.token, 'signed-in.bin', bytes)
    await expectClean(one)
    expect(one.page.url()).not.toContain(one.token)
    const stored = await one.page.evaluate(async () => {
      const databases = await indexedDB.databases()
      const texts = databases.map(({ name = '' }) => {
        return new Promise<string>((resolve) => {
          const opening = indexedDB.open(name)
          opening.onsuccess = async () => {
            const names = Array.from(opening.result.objectStoreNames)
            const rows = names.map((store) => {
              return new Promise<unknown>((done) => {
                const asked = opening.result.transaction(store).objectStore(store).getAll()
                asked.onsuccess = () => done(asked.result)
              })
            })
            resolve(JSON.stringify(await Promise.all(rows)))
          }
        })
      })
      return (await Promise.all(texts)).join() + document.cookie
    })
    expect(stored).not.toContain(one.token)
    await one.page.reload()
    await one.page.getByLabel('Token').waitFor()
    expect(await choose(one).isHidden()).toBe(true)
  })

  test('takes no token from an address there, and wipes it off', async () => {
    const one = await openPage(live)
    await one.page.getByLabel('Token').waitFor()
    expect(one.page.url()).toBe(`${live.url}/`)
    await expectClean(one)
  })

  test.each([
    ['expired or forged', () => 'not.a.token', 'The server does not take this token'],
    ['without the scope', () => live.token({ scopes: [] }), 'it needs the scope “uploads”'],
  ])('says why a token is refused that is %s, and wipes it', async (_what, makeToken, words) => {
    const token = makeToken()
    const one = await openPage(live, { hash: '', token })
    await typeToken(one, token)
    await one.page.getByRole('alert').getByText(words).waitFor()
    expect(await one.page.getByLabel('Token').inputValue()).toBe('')
    expect(await choose(one).isHidden()).toBe(true)
    await expectClean(one)
    await typeToken(one, live.token())
    await choose(one).waitFor()
  })

  /** From now on the server answers this token as one that has expired; the true end has half a minute of tolerance. */
  async function expire({ page }: PageUnderTest, token: string) {
    await page.route(`${live.url}/v1/**`, async (route) => {
      if (route.request().headers().authorization !== `Bearer ${token}`) return route.continue()
      const body = JSON.stringify({ code: 'unauthenticated', status: 401, title: 'x', type: 'x#unauthenticated' })
      await route.fulfill({ status: 401, contentType: 'application/problem+json', body })
    })
  }

  test('again in mid-upload is asked for in place, and the upload goes on by itself', async () => {
    const token = live.token({ subject: 'short-lived' })
    const one = await openPage(live, { hash: '', token })
    await typeToken(one, token)
    local.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 2500 } })
    const name = 'renewed.bin'
    const { path, bytes } = await files.make(name, 40 * MB)
    await one.page.setInputFiles('#files', path)
    await one.untilState(name, 'sending')
    await expire(one, token)
    await one.page.getByText('The server does not take your token any more').waitFor()
    expect(await one.row('renewed.bin').isVisible()).toBe(true)
    local.cloud.faults.clear()
    const fresh = live.token({ subject: 'short-lived', ttlSeconds: 700 })
    await typeToken(one, fresh)
    await one.untilState('renewed.bin', 'completed')
    expect(await one.page.locator('#sign-in').isHidden()).toBe(true)
    await expectUploaded(live, fresh, 'renewed.bin', bytes)
    await expectClean({ ...one, token: fresh })
  })

  test('again may take the user longer than an upload waits', async () => {
    const token = live.token({ subject: 'slow-typist' })
    const one = await openPage(live, { hash: '', token })
    await one.page.clock.install()
    await one.page.reload()
    await typeToken(one, token)
    await choose(one).waitFor()
    local.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 2500 } })
    const name = 'patient.bin'
    const { path, bytes } = await files.make(name, 130 * MB)
    await one.page.setInputFiles('#files', path)
    await one.untilState(name, 'sending')
    await expire(one, token)
    await one.page.getByText('The server does not take your token any more').waitFor()
    // What asks for a token gives up after 30 s.
    await one.page.clock.fastForward(31_000)
    await one.row(name).getByText('Waiting for you to sign in').waitFor()
    local.cloud.faults.clear()
    const fresh = live.token({ subject: 'slow-typist', ttlSeconds: 700 })
    await typeToken(one, fresh)
    await one.untilState('patient.bin', 'completed')
    await expectUploaded(live, fresh, 'patient.bin', bytes)
  })
})
