import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestApp } from '../support/app.ts'
import { describeInBrowser } from '../support/chromium.ts'
import {
  type AdminPageUnderTest,
  adminPageTests,
  expectClean,
  leaveUpload,
  patient,
  sectionOf,
  shownFiles,
  startAdminApp,
  typeToken,
} from './admin-page-support.ts'

describeInBrowser('signing in to the admin page', () => {
  const its = adminPageTests()
  /** In local mode, which prints links that sign in. */
  let local: TestApp
  /** Anywhere else, and below a path of another app. */
  let live: TestApp
  beforeAll(async () => {
    local = its.app
    live = await startAdminApp({
      beside: local,
      mount: { path: '/files/up' },
      config: (config) => ({ ...config, localCloud: null }),
    })
  })
  afterAll(() => live.close())
  const board = ({ page }: AdminPageUnderTest) => sectionOf(page, 'Uploads')

  test('is done by the link that local mode prints, and the token leaves the address at once', async () => {
    const one = await its.openPage()
    await board(one).waitFor()
    await one.page.getByText('All tenants').waitFor()
    expect(one.page.url()).toBe(`${local.url}/admin/`)
    expect(await one.page.locator('#door').isHidden()).toBe(true)
    await one.page.reload()
    await one.page.getByLabel('Admin token').waitFor()
  })

  test('by another link begins anew: nothing stays that was read with the token before', async () => {
    await leaveUpload(local, { fileName: 'another-link.bin', tenant: 'zeta' })
    const one = await its.openPage()
    await expect.poll(() => shownFiles(one.page), patient).toContain('another-link.bin')
    const other = local.token({ tenant: 'acme', scopes: ['admin'] })
    // The last thing an administrator of one tenant would see of all others: what was there before the replies.
    await one.page.route('**/v1/admin/uploads?*', () => {})
    await one.page.evaluate((token) => location.assign(`#token=${token}`), other)
    await one.page.getByText('Tenant acme').waitFor()
    expect(await shownFiles(one.page)).toEqual([])
  })

  test('elsewhere asks for a token, which is in the page’s memory only', async () => {
    const one = await its.openPage({ of: live, hash: '' })
    await one.page.getByText('made by your application’s backend').waitFor()
    expect(await one.page.getByLabel('Admin token').getAttribute('type')).toBe('password')
    await typeToken(one)
    await board(one).waitFor()
    expect(await one.page.getByLabel('Admin token').isHidden()).toBe(true)
    // Not at the end of a page that is gone.
    const heading = one.page.getByRole('heading', { name: 'Partway administration' })
    expect(await heading.evaluate((title) => title === document.activeElement)).toBe(true)
    await expectClean(one)
    await one.page.reload()
    await one.page.getByLabel('Admin token').waitFor()
    expect(await board(one).isHidden()).toBe(true)
  })

  test('takes no token from an address there, and wipes it off', async () => {
    const one = await its.openPage({ of: live })
    await one.page.getByLabel('Admin token').waitFor()
    expect(one.page.url()).toBe(`${live.url}/admin/`)
    expect(await board(one).isHidden()).toBe(true)
  })

  test.each([
    ['expired or forged', () => 'not.a.token', 'The server does not take this token'],
    ['not an administrator’s', () => local.token({ scopes: ['uploads'] }), 'it needs the scope “admin”'],
  ])('says why a token is refused that is %s, and wipes it', async (_what, makeToken, words) => {
    const token = makeToken()
    const one = await its.openPage({ of: live, hash: '', token })
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
    const one = await its.openPage({ token: local.token({ tenant: 'acme', scopes: ['admin'] }) })
    await one.page.getByText('Tenant acme').waitFor()
    await expect.poll(() => shownFiles(one.page), patient).toEqual(['mine.bin'])
    await one.page.getByText('concern all tenants: an administrator of all tenants sees them here').waitFor()
    expect(await sectionOf(one.page, 'Bucket lifecycle').count()).toBe(0)
  })

  test('ends when the server takes the token no longer: the form is back, and nothing of the board is left', async () => {
    await leaveUpload(local, { fileName: 'secret-name.bin' })
    const one = await its.openPage()
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
    await typeToken(one)
    await board(one).waitFor()
  })

  test('out by the button forgets the token', async () => {
    const one = await its.openPage()
    await board(one).waitFor()
    await one.page.getByRole('button', { name: 'Sign out' }).click()
    await one.page.getByLabel('Admin token').waitFor()
    expect(await board(one).isHidden()).toBe(true)
  })
})
