import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { TestApp } from '../support/app.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import {
  type AdminPageUnderTest,
  expectClean,
  leaveUpload,
  openAdminPage,
  patient,
  sectionOf,
  shownFiles,
  startAdminApp,
} from './admin-page-support.ts'

describeInBrowser('signing in to the admin page', () => {
  let browser: Browser
  /** In local mode, which prints links that sign in. */
  let local: TestApp
  /** Anywhere else, and below a path of another app. */
  let live: TestApp
  const open: AdminPageUnderTest[] = []
  beforeAll(async () => {
    browser = await launchChromium()
    local = await startAdminApp()
    live = await startAdminApp({
      beside: local,
      mount: { path: '/files/up' },
      config: (config) => ({ ...config, localCloud: null }),
    })
  })
  afterEach(async () => {
    for (const one of open.splice(0)) {
      await expectClean(one)
      await one.close()
    }
  })
  afterAll(async () => {
    await browser.close()
    await live.close()
    await local.close()
  })
  async function openPage(
    app: TestApp,
    options: Parameters<typeof openAdminPage>[2] = {},
  ): Promise<AdminPageUnderTest> {
    const one = await openAdminPage(browser, app, options)
    open.push(one)
    return one
  }
  const board = ({ page }: AdminPageUnderTest) => sectionOf(page, 'Uploads')
  async function typeToken({ page }: AdminPageUnderTest, token: string) {
    await page.getByLabel('Admin token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }

  test('is done by the link that local mode prints, and the token leaves the address at once', async () => {
    const one = await openPage(local)
    await board(one).waitFor()
    await one.page.getByText('All tenants').waitFor()
    expect(one.page.url()).toBe(`${local.url}/admin/`)
    expect(await one.page.locator('#door').isHidden()).toBe(true)
    await one.page.reload()
    await one.page.getByLabel('Admin token').waitFor()
  })

  test('elsewhere asks for a token, which is in the page’s memory only', async () => {
    const one = await openPage(live, { hash: '' })
    await one.page.getByText('made by your application’s backend').waitFor()
    expect(await one.page.getByLabel('Admin token').getAttribute('type')).toBe('password')
    await typeToken(one, one.token)
    await board(one).waitFor()
    expect(await one.page.getByLabel('Admin token').isHidden()).toBe(true)
    await expectClean(one)
    await one.page.reload()
    await one.page.getByLabel('Admin token').waitFor()
    expect(await board(one).isHidden()).toBe(true)
  })

  test('takes no token from an address there, and wipes it off', async () => {
    const one = await openPage(live)
    await one.page.getByLabel('Admin token').waitFor()
    expect(one.page.url()).toBe(`${live.url}/admin/`)
    expect(await board(one).isHidden()).toBe(true)
  })

  test.each([
    ['expired or forged', () => 'not.a.token', 'The server does not take this token'],
    ['not an administrator’s', () => local.token({ scopes: ['uploads'] }), 'it needs the scope “admin”'],
  ])('says why a token is refused that is %s, and wipes it', async (_what, makeToken, words) => {
    const token = makeToken()
    const one = await openPage(live, { hash: '', token })
    await typeToken(one, token)
    await one.page.getByRole('alert').getByText(words).waitFor()
    expect(await one.page.getByLabel('Admin token').inputValue()).toBe('')
    expect(await board(one).isHidden()).toBe(true)
    await expectClean(one)
    await typeToken(one, live.token({ tenant: '*', scopes: ['admin'] }))
    await board(one).waitFor()
  })

  test('of a tenant’s administrator shows that tenant alone, and a sentence where the bucket’s rules would be', async () => {
    await leaveUpload(local, { fileName: 'mine.bin', tenant: 'acme' })
    await leaveUpload(local, { fileName: 'theirs.bin', tenant: 'zeta' })
    const one = await openPage(local, { token: local.token({ tenant: 'acme', scopes: ['admin'] }) })
    await one.page.getByText('Tenant acme').waitFor()
    await expect.poll(() => shownFiles(one.page), patient).toEqual(['mine.bin'])
    await one.page.getByText('concern all tenants: an administrator of all tenants sees them here').waitFor()
    expect(await sectionOf(one.page, 'Bucket lifecycle').count()).toBe(0)
  })

  test('ends when the server takes the token no longer: the form is back, and nothing of the board is left', async () => {
    await leaveUpload(local, { fileName: 'secret-name.bin' })
    const one = await openPage(local)
    await expect.poll(() => shownFiles(one.page), patient).toContain('secret-name.bin')
    await one.page.getByRole('button', { name: 'secret-name.bin' }).first().click()
    await one.page.getByRole('dialog').getByText('Timeline').waitFor()
    const body = JSON.stringify({ code: 'unauthenticated', status: 401, title: 'x', type: 'x#unauthenticated' })
    await one.page.route('**/v1/admin/**', (route) =>
      route.fulfill({ status: 401, contentType: 'application/problem+json', body }),
    )
    await one.page.getByRole('button', { name: 'Read again', exact: true }).click()
    await one.page.getByText('it has expired').waitFor()
    expect(await one.page.content()).not.toContain('secret-name.bin')
    await one.page.unrouteAll()
    await typeToken(one, one.token)
    await board(one).waitFor()
  })

  test('out by the button forgets the token', async () => {
    const one = await openPage(local)
    await board(one).waitFor()
    await one.page.getByRole('button', { name: 'Sign out' }).click()
    await one.page.getByLabel('Admin token').waitFor()
    expect(await board(one).isHidden()).toBe(true)
  })
})
