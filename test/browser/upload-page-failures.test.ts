import { open as openFile, rm, truncate, utimes } from 'node:fs/promises'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { corsRule } from '../../server/cors-rule.ts'
import { send } from '../local-cloud/send.ts'
import { createApi } from '../support/api.ts'
import type { TestApp, TestAppOptions } from '../support/app.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import {
  expectClean,
  expectUploaded,
  type Files,
  holdParts,
  makeFiles,
  openUploadPage,
  type PageUnderTest,
  pageRule,
  startPageApp,
  uploadsOf,
} from './upload-page-support.ts'

const MB = 1_000_000
const soon = { timeout: 20_000 }

describeInBrowser('the upload page, when something fails,', () => {
  let browser: Browser
  let app: TestApp
  let files: Files
  const open: PageUnderTest[] = []
  beforeAll(async () => {
    browser = await launchChromium()
    app = await startPageApp()
    files = await makeFiles()
  })
  afterEach(async () => {
    app.cloud.faults.clear()
    for (const one of open.splice(0)) await one.close()
  })
  afterAll(async () => {
    await browser.close()
    await app.close()
    await files.remove()
  })
  async function openPage(options: Parameters<typeof openUploadPage>[2] = {}, on = app): Promise<PageUnderTest> {
    const one = await openUploadPage(browser, on, options)
    open.push(one)
    return one
  }
  async function withApp(options: TestAppOptions, use: (other: TestApp) => Promise<void>): Promise<void> {
    const other = await startPageApp(options)
    try {
      await use(other)
    } finally {
      await other.close()
    }
  }
  const slowParts = (delayMs = 5000) =>
    app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs } })
  const tryAgain = ({ page }: PageUnderTest, name: string) => page.getByRole('button', { name: `Try again: ${name}` })

  test('says that the bucket’s CORS rule is missing, and goes on once it is there', async () => {
    await withApp({ cloud: { corsRules: [] } }, async (closed) => {
      const one = await openPage({}, closed)
      const { path, bytes } = await files.make('cors.bin', 10)
      await one.page.setInputFiles('#files', path)
      await one.row('cors.bin').getByText('The bucket does not take uploads from this page').waitFor()
      await one.row('cors.bin').getByText('npx partway doctor').waitFor()
      const body = corsRule([new URL(closed.url).origin])
      expect((await send(closed.cloud.ossUrl, { method: 'PUT', query: { cors: null }, body })).status).toBe(200)
      await tryAgain(one, 'cors.bin').click()
      await one.untilState('cors.bin', 'completed')
      await expectUploaded(closed, one.token, 'cors.bin', bytes)
      await expectClean(one)
    })
  })

  test('hints once that checksums are hidden, and uploads all the same', async () => {
    await withApp({ cloud: { corsRules: [{ ...pageRule, exposeHeaders: [] }] } }, async (hiding) => {
      const one = await openPage({}, hiding)
      const { path, bytes } = await files.make('hidden.bin', 10 * MB)
      await one.page.setInputFiles('#files', path)
      await one.untilState('hidden.bin', 'completed')
      await one.page.getByText('OSS hides its checksums from this page').waitFor()
      await expectUploaded(hiding, one.token, 'hidden.bin', bytes)
      await expectClean(one)
    })
  })

  test('says that a policy keeps the page from OSS', async () => {
    const one = await openPage({ hash: '' })
    await one.page.route(`${app.url}/?strict`, async (route) => {
      const response = await route.fetch()
      const policy = response.headers()['content-security-policy'] ?? ''
      const headers = { ...response.headers(), 'content-security-policy': policy.replace(app.cloud.ossUrl, '') }
      await route.fulfill({ response, headers })
    })
    await one.page.goto(`${app.url}/?strict#token=${one.token}`)
    await one.page.setInputFiles('#files', (await files.make('csp.bin', 10)).path)
    await one.row('csp.bin').getByText('This page is not allowed to reach OSS').waitFor()
  })

  test.each([
    ['file-too-large', { maxSizeBytes: 5 }, 'The file is larger than allowed'],
    ['content-type-not-allowed', { contentTypes: ['image/*'] }, 'Files of this type are not allowed'],
  ])('says that the server refuses a file: %s', async (code, limits, title) => {
    const one = await openPage({ token: app.token({ subject: code, limits }) })
    await one.page.setInputFiles('#files', (await files.make(`${code}.txt`, 10)).path)
    await one.row(`${code}.txt`).getByText(title).waitFor()
    // Nothing the user can do here would help.
    expect(await tryAgain(one, `${code}.txt`).count()).toBe(0)
    await one.page.getByRole('button', { name: `Remove from the list: ${code}.txt` }).click()
    await one.page.locator('#queue').waitFor({ state: 'hidden' })
    await expectClean(one)
  })

  test('says that the quota is used up', async () => {
    const one = await openPage()
    await one.page.route(`${app.url}/v1/uploads`, (route) =>
      route.fulfill({
        status: 429,
        headers: { 'retry-after': '86400', 'content-type': 'application/problem+json' },
        body: JSON.stringify({ code: 'quota-exceeded', status: 429, title: 'x', type: 'x#quota-exceeded' }),
      }),
    )
    const { path, bytes } = await files.make('quota.bin', 10)
    await one.page.setInputFiles('#files', path)
    await one.row('quota.bin').getByText('The quota is used up').waitFor()
    await one.page.unroute(`${app.url}/v1/uploads`)
    await tryAgain(one, 'quota.bin').click()
    await one.untilState('quota.bin', 'completed')
    await expectUploaded(app, one.token, 'quota.bin', bytes)
  })

  test('says that OSS refuses, and by which request an operator finds it', async () => {
    const one = await openPage()
    app.cloud.faults.add({
      match: { verb: 'UploadPart' },
      effect: { kind: 'answer', status: 403, code: 'AccessDenied', message: 'no' },
    })
    await one.page.setInputFiles('#files', (await files.make('denied.bin', 10)).path)
    await one.row('denied.bin').getByText('OSS does not allow the upload').waitFor()
    await one
      .row('denied.bin')
      .getByText(/Request [0-9A-F]{24}/)
      .waitFor()
    await expect.poll(() => one.page.locator('#announcer').innerText(), soon).toContain('denied.bin failed')
    await expectClean(one)
  })

  test('tells what is waited for while OSS is out of order, and goes on by itself', async () => {
    const one = await openPage()
    app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'throttle', delayMs: 2000 } })
    const { path, bytes } = await files.make('throttled.bin', 9 * MB)
    await one.page.setInputFiles('#files', path)
    await one
      .row('throttled.bin')
      .getByText(/^OSS .* Next attempt in \d+\ss\.$/)
      .waitFor()
    expect(await one.state('throttled.bin')).toBe('sending')
    app.cloud.faults.clear()
    await one.untilState('throttled.bin', 'completed')
    expect(await one.row('throttled.bin').locator('.note').isHidden()).toBe(true)
    await expectUploaded(app, one.token, 'throttled.bin', bytes)
    await expectClean(one)
  })

  test('tells what is waited for while the server cannot be reached, and goes on by itself', async () => {
    const one = await openPage()
    slowParts()
    const { path, bytes } = await files.make('unreachable.bin', 20 * MB)
    await one.page.setInputFiles('#files', path)
    await one.untilState('unreachable.bin', 'sending')
    await one.page.route(`${app.url}/v1/**`, (route) => route.abort('connectionrefused'))
    await one
      .row('unreachable.bin')
      .getByText(/^The server cannot be reached\. Next attempt in/)
      .waitFor()
    await one.page.unroute(`${app.url}/v1/**`)
    await one.untilState('unreachable.bin', 'completed')
    await expectUploaded(app, one.token, 'unreachable.bin', bytes)
  })

  test('says that it is offline, and goes on when it is not', async () => {
    const one = await openPage()
    slowParts(3000)
    const { path, bytes } = await files.make('offline.bin', 40 * MB)
    await one.page.setInputFiles('#files', path)
    await one.untilState('offline.bin', 'sending')
    await one.context.setOffline(true)
    await one.page.getByText('You are offline. Uploads go on by themselves').waitFor()
    await one.context.setOffline(false)
    await one.page.locator('#offline').waitFor({ state: 'hidden' })
    await one.untilState('offline.bin', 'completed')
    await expectUploaded(app, one.token, 'offline.bin', bytes)
  })

  test('offers to start over when the file has changed since', async () => {
    const one = await openPage()
    const held = holdParts(app, 6)
    const { path, bytes } = await files.make('changed.bin', 60 * MB)
    const changedAt = new Date('2026-01-02T03:04:05Z')
    await utimes(path, changedAt, changedAt)
    await one.page.setInputFiles('#files', path)
    await held.stored()
    await one.page.reload()
    app.cloud.faults.clear()
    // One byte of a stored part, where the fingerprint does not look.
    const changed = Buffer.from(bytes)
    changed[3 * MB] = (changed[3 * MB] ?? 0) ^ 1
    const file = await openFile(path, 'r+')
    await file.write(changed, 3 * MB, 1, 3 * MB)
    await file.close()
    // Otherwise it would count as another file from the beginning.
    await utimes(path, changedAt, changedAt)
    await one.page.setInputFiles('#files', path)
    await one.row('changed.bin').getByText('The file has changed since its upload was begun').waitFor()
    await one.page.getByRole('button', { name: 'Start over: changed.bin' }).click()
    await one.untilState('changed.bin', 'completed')
    await expectUploaded(app, one.token, 'changed.bin', changed)
    await expectClean(one)
  })

  test('asks for the file again when it was changed meanwhile, for the browser reads no more of it', async () => {
    const one = await openPage()
    holdParts(app, 1)
    const { path } = await files.make('unreadable.bin', 60 * MB)
    await one.page.setInputFiles('#files', path)
    await one.untilState('unreadable.bin', 'sending')
    await one.page.getByRole('button', { name: 'Pause: unreadable.bin' }).click()
    await one.untilState('unreadable.bin', 'paused')
    await truncate(path, 50 * MB)
    app.cloud.faults.clear()
    await one.page.getByRole('button', { name: 'Resume: unreadable.bin' }).click()
    await one.untilState('unreadable.bin', 'failed')
    await one
      .row('unreadable.bin')
      .getByText(/The file (cannot be read any more|has changed since)/)
      .waitFor()
    const { bytes } = await files.make('unreadable.bin', 30 * MB)
    await one.page.evaluate(() => {
      window.showOpenFilePicker = undefined
    })
    const chooser = one.page.waitForEvent('filechooser')
    await one.page.getByRole('button', { name: 'Start over: unreadable.bin' }).click()
    await (await chooser).setFiles(path)
    await one.untilState('unreadable.bin', 'completed')
    await expectUploaded(app, one.token, 'unreadable.bin', bytes)
  })

  test('asks for the file again when it is gone', async () => {
    const one = await openPage()
    const { path } = await files.make('gone.bin', 10 * MB)
    await one.page.route(`${app.url}/v1/uploads`, async (route) => {
      await rm(path)
      await route.continue()
    })
    await one.page.setInputFiles('#files', path)
    await one.row('gone.bin').getByText('The file cannot be read any more').waitFor()
    await one.page.unroute(`${app.url}/v1/uploads`)
    const { bytes } = await files.make('gone.bin', 10 * MB)
    await one.page.evaluate(() => {
      window.showOpenFilePicker = undefined
    })
    const chooser = one.page.waitForEvent('filechooser')
    await one.page.getByRole('button', { name: 'Choose the file again: gone.bin' }).click()
    await (await chooser).setFiles(path)
    await one.untilState('gone.bin', 'completed')
    await expectUploaded(app, one.token, 'gone.bin', bytes)
  })

  test('says that the upload was ended elsewhere', async () => {
    const one = await openPage()
    slowParts()
    const { path, bytes } = await files.make('ended.bin', 60 * MB)
    await one.page.setInputFiles('#files', path)
    await one.untilState('ended.bin', 'sending')
    const [upload] = await uploadsOf(app, one.token)
    const reply = await createApi(app.url, one.token)('abortUpload', { id: upload?.id ?? '' })
    expect(reply.status).toBe(200)
    await one.row('ended.bin').getByText('The upload was ended elsewhere').waitFor()
    app.cloud.faults.clear()
    await tryAgain(one, 'ended.bin').click()
    await one.untilState('ended.bin', 'completed')
    await expectUploaded(app, one.token, 'ended.bin', bytes)
  })
})
