import { existsSync } from 'node:fs'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { expect } from 'vitest'
import type { TestApp, TestAppOptions } from '../support/app.ts'
import { startTestApp } from '../support/app.ts'
import { watch } from '../support/secret-watch.ts'
import { watchPage } from '../support/watched-page.ts'
import { type Administration, fakeAdministration } from './fake-administration.ts'

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
}

/** Opens the page, signed in by link as an administrator of all tenants; with `hash: ''` not signed in. */
export async function openAdminPage(
  browser: Browser,
  app: TestApp,
  options: OpenOptions = {},
): Promise<AdminPageUnderTest> {
  const { token = app.token({ subject: 'admin', tenant: '*', scopes: ['admin'] }), hash, fake, ...rest } = options
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
