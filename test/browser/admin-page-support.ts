import { existsSync, readFileSync } from 'node:fs'
import type { ProblemCode, Upload } from '@partway/client/contract'
import type { AxeResults } from 'axe-core'
import type { Browser, BrowserContext, Locator, Page, Route } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import type { TestApp, TestAppOptions } from '../support/app.ts'
import { startTestApp } from '../support/app.ts'
import { launchChromium } from '../support/chromium.ts'
import { watch } from '../support/secret-watch.ts'
import { letPass } from '../support/time-passing.ts'
import { watchPage } from '../support/watched-page.ts'
import { type Administration, fakeAdministration, refuse } from './fake-administration.ts'

/** For what the page shows when its replies have come. */
export const patient = { timeout: 15_000 }

const phone = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true }
const desktop = { viewport: { width: 1280, height: 800 } }

/** How the page is looked at, for `test.each`: scheme, device by name, device. */
export const looks = [
  ['light', 'desktop', desktop],
  ['dark', 'desktop', desktop],
  ['light', 'phone', phone],
  ['dark', 'phone', phone],
] as const

/** With usual spaces in place of those that keep a number and its unit on one line. */
export const spaced = (texts: readonly string[]) => texts.map((text) => text.replaceAll('\u00a0', ' '))

/** A server with the built admin page. */
export async function startAdminApp(options: TestAppOptions = {}): Promise<TestApp> {
  if (!existsSync(new URL('../../dist/server/web/admin/index.html', import.meta.url))) {
    throw new Error('the admin page is not built: npm run build')
  }
  return startTestApp(options)
}

/** A tab with the admin page, in a browser profile of its own, whose complaints are written down. */
export interface AdminPageUnderTest {
  page: Page
  context: BrowserContext
  token: string
  /** Errors of scripts, violations of the page's policy, and dialogs that a script opened. */
  complaints: string[]
  consoleLines: string[]
  /** What the page asked the fake, in order; empty without one. */
  requests: string[]
  close(): Promise<void>
}

type OpenOptions = Parameters<Browser['newContext']>[0] & {
  token?: string
  /** After the address; by default a link that signs in. */
  hash?: string
  /** Answers in the server's place. */
  fake?: Administration
  /** The page's clock stands still but for `page.clock.runFor`. */
  hasOwnClock?: boolean
}

interface AdminPageTests {
  readonly app: TestApp
  /** Opens the page as {@link openAdminPage} does; after the test it is checked and closed. `of`: another server's. */
  openPage(options?: OpenOptions & { of?: TestApp }): Promise<AdminPageUnderTest>
}

/** For the tests of one `describe`: a browser, a server, and pages that are checked and closed after the test that opened them. */
export function adminPageTests(startApp: () => Promise<TestApp> = startAdminApp): AdminPageTests {
  let browser: Browser
  let app: TestApp
  const open: AdminPageUnderTest[] = []
  beforeAll(async () => {
    browser = await launchChromium()
    app = await startApp()
  })
  afterEach(async () => {
    for (const one of open.splice(0)) {
      await expectClean(one)
      await one.close()
    }
  })
  afterAll(async () => {
    await browser.close()
    await app.close()
  })
  return {
    get app() {
      return app
    },
    async openPage({ of = app, ...options } = {}) {
      const one = await openAdminPage(browser, of, options)
      open.push(one)
      return one
    },
  }
}

/** Types `token`, by default the page's own, into the form, and sends it. */
export async function typeToken({ page, token }: AdminPageUnderTest, other = token): Promise<void> {
  await page.getByLabel('Admin token').fill(other)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** Keeps the replies of requests to `address` back until the returned function is called. */
export async function holdBack(page: Page, address: RegExp): Promise<() => Promise<void>> {
  const kept: Route[] = []
  const keep = (route: Route) => void kept.push(route)
  await page.route(address, keep)
  return async () => {
    await page.unroute(address, keep)
    for (const route of kept) await route.fallback()
  }
}

/** Opens the page, signed in by link as an administrator of all tenants; with `hash: ''` not signed in. */
export async function openAdminPage(
  browser: Browser,
  app: TestApp,
  options: OpenOptions = {},
): Promise<AdminPageUnderTest> {
  const operator = app.token({ subject: 'admin', tenant: '*', scopes: ['admin'] })
  const { token = operator, hash, fake, hasOwnClock = false, ...rest } = options
  const context = await browser.newContext(rest)
  const page = await context.newPage()
  const complaints: string[] = []
  const consoleLines: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error.stack)))
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog says ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    // Chromium writes lines of its own, with the URL, for answers that are errors and for what a policy forbids (told by the listener below).
    if (/^Failed to load resource|violates the following Content Security Policy/.test(message.text())) return
    consoleLines.push(message.text())
    if (message.type() === 'error') complaints.push(message.text())
  })
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      const [address] = event.blockedURI.split('?')
      console.error(`the policy forbids ${event.effectiveDirective} ${address}`)
    })
  })
  if (hasOwnClock) await page.clock.install()
  const requests = fake ? (await fakeAdministration(page, fake)).requests : []
  await page.goto(`${app.url}/admin/${hash ?? `#token=${token}`}`)
  return {
    page,
    context,
    token,
    complaints,
    consoleLines,
    requests,
    async close() {
      await watchPage(page)
      watch('the console of the admin page', consoleLines.join('\n'))
      await context.close()
    },
  }
}

/** The page did nothing it may not, and the token is nowhere: not in what is shown, typed, stored or written, nor in the address. */
export async function expectClean({ page, token, complaints, consoleLines }: AdminPageUnderTest): Promise<void> {
  expect(complaints).toEqual([])
  const seen = await page.evaluate(async () => ({
    html: document.documentElement.outerHTML,
    values: Array.from(document.querySelectorAll('input'), ({ value }) => value),
    storage: JSON.stringify({ ...localStorage, ...sessionStorage }),
    databases: (await indexedDB.databases()).length,
    cookies: document.cookie,
    address: location.href,
    history: JSON.stringify(history.state),
  }))
  expect(JSON.stringify([seen, consoleLines])).not.toContain(token)
  expect([seen.storage, seen.databases, seen.cookies]).toEqual(['{}', 0, ''])
}

/** Answers requests to `address` with a problem until the returned function is called. */
export async function refuseWith(
  page: Page,
  address: RegExp,
  code: ProblemCode,
  headers: Record<string, string> = {},
): Promise<() => Promise<void>> {
  const answer = (route: Route) => refuse(route, code, headers)
  await page.route(address, answer)
  return () => page.unroute(address, answer)
}

/** An open upload of `tenant` of which so many parts of a MiB are stored and known, as if it had been left alone since. */
export async function leaveUpload(
  app: TestApp,
  fields: { fileName: string; tenant?: string; parts?: number; storedParts?: number; since?: string },
): Promise<Upload> {
  const { fileName, tenant = 'acme', parts = 3, storedParts = 1, since = '2 days' } = fields
  const api = createApi(app.url, app.token({ subject: 'alice', tenant }))
  const bytes = someBytes(parts * MiB)
  const upload = await createFor(api, bytes, { fileName })
  if (storedParts > 0) {
    const numbers = Array.from({ length: storedParts }, (_, index) => index + 1)
    await sendParts(api, upload, bytes, numbers)
    await api('getUpload', { id: upload.id, query: { reconcile: 'true' } })
  }
  await letPass(app, since, [upload.id])
  return upload
}

/** What the server says of an upload. */
export async function stateOf(app: TestApp, { id }: Pick<Upload, 'id'>, tenant = 'acme'): Promise<Upload['state']> {
  const reply = await createApi(app.url, app.token({ subject: 'alice', tenant }))('getUpload', { id })
  expect(reply.status).toBe(200)
  return reply.body.upload.state
}

/** The part of the page below one heading. */
export function sectionOf(page: Page, heading: string): Locator {
  return page.getByRole('region', { name: heading, exact: true })
}

/** The file names in the table of uploads, as they stand. */
export async function shownFiles(page: Page): Promise<string[]> {
  return sectionOf(page, 'Uploads').locator('tbody .name bdi').allTextContents()
}

const axe = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')

/** Whatever axe finds that is serious or critical, and whether the page is wider than its window. */
export async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const results = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run())
  return [
    ...results.violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`)),
    ...(await page.evaluate(() =>
      document.documentElement.scrollWidth > innerWidth ? ['wider than the window'] : [],
    )),
  ]
}
