import { expect, test } from 'vitest'
import { describeInBrowser } from '../support/chromium.ts'
import { someDetail, someUpload } from './admin-fixtures.ts'
import {
  type AdminPageUnderTest,
  adminPageTests,
  holdBack,
  patient,
  refuseWith,
  sectionOf,
  shownFiles,
} from './admin-page-support.ts'
import { someAdministration } from './fake-administration.ts'

describeInBrowser('the admin page, when replies are late and hands are quick,', () => {
  const { openPage } = adminPageTests()
  const usual = () => someAdministration(60)
  const files = ({ page }: AdminPageUnderTest) => expect.poll(() => shownFiles(page), patient)
  const uploads = ({ page }: AdminPageUnderTest) => sectionOf(page, 'Uploads')
  const dialog = ({ page }: AdminPageUnderTest) => page.getByRole('dialog')
  const listings = ({ requests }: AdminPageUnderTest) => requests.filter((one) => one.includes('/admin/uploads?'))
  async function filterBy(one: AdminPageUnderTest, tenant: string) {
    await uploads(one).getByLabel('Tenant').fill(tenant)
    await one.page.keyboard.press('Enter')
  }

  test('goes one page on where Next is pressed twice', async () => {
    const one = await openPage({ fake: usual() })
    await files(one).toHaveLength(20)
    const release = await holdBack(one.page, /cursor=20/)
    await uploads(one).getByRole('button', { name: 'Next page of uploads' }).dblclick()
    expect(await uploads(one).getByText('Page 2').isVisible()).toBe(true)
    await release()
    await expect.poll(() => listings(one).filter((one) => one.includes('cursor=20')).length, patient).toBe(1)
    await uploads(one).getByRole('button', { name: 'Next page of uploads', disabled: false }).waitFor()
    expect(await uploads(one).getByText('Page 2').isVisible()).toBe(true)
  })

  test('asks for no page of the filter before, and dims its rows', async () => {
    const one = await openPage({ fake: usual() })
    await files(one).toHaveLength(20)
    const release = await holdBack(one.page, /tenant=acme/)
    await filterBy(one, 'acme')
    await uploads(one).locator('table.waiting').waitFor()
    await uploads(one).getByRole('button', { name: 'Next page of uploads' }).click({ force: true })
    await release()
    await files(one).toHaveLength(8)
    expect(listings(one).filter((one) => one.includes('tenant=acme') && one.includes('cursor'))).toEqual([])
  })

  test('never shows the rows of one filter below another that cannot be read', async () => {
    const one = await openPage({ fake: usual() })
    await files(one).toHaveLength(20)
    const mend = await refuseWith(one.page, /tenant=acme/, 'database-unavailable')
    await filterBy(one, 'acme')
    await uploads(one).getByRole('alert').getByText('The database cannot be reached').waitFor()
    expect(await shownFiles(one.page)).toEqual([])
    await mend()
    await uploads(one).getByRole('button', { name: 'Try again' }).click()
    await files(one).toHaveLength(8)
  })

  test('keeps rows that were read, and does not dim them, while they are read anew', async () => {
    const one = await openPage({ fake: usual() })
    await files(one).toHaveLength(20)
    const release = await holdBack(one.page, /admin\/uploads\?/)
    await one.page.getByRole('button', { name: 'Refresh' }).click()
    await one.page.locator('.uploads[aria-busy="true"]').waitFor()
    expect(await shownFiles(one.page)).toHaveLength(20)
    expect(await uploads(one).locator('table.waiting').count()).toBe(0)
    await release()
    await one.page.locator('.uploads[aria-busy="false"]').waitFor()
  })

  test('reads by itself again once what was selected has left the table', async () => {
    const one = await openPage({ fake: usual(), hasOwnClock: true })
    await files(one).toHaveLength(20)
    await uploads(one).getByRole('checkbox').nth(1).check()
    await uploads(one).getByRole('button', { name: 'Next page of uploads' }).click()
    await uploads(one).getByRole('button', { name: 'Abort selected' }).waitFor()
    const before = listings(one).length
    await one.page.clock.runFor(31_000)
    await expect.poll(() => listings(one).length, patient).toBe(before + 1)
  })

  test('puts the button that aborts nowhere another one stood', async () => {
    const one = await openPage({ fake: usual() })
    await files(one).toHaveLength(20)
    const release = await holdBack(one.page, /uploads\/abort/)
    await uploads(one).getByRole('checkbox').nth(1).check()
    await uploads(one).getByRole('button', { name: 'Abort 1 upload' }).click()
    const cancel = await dialog(one).getByRole('button', { name: 'Cancel' }).boundingBox()
    await release()
    const abort = await dialog(one).getByRole('button', { name: 'Abort 1 upload' }).boundingBox()
    expect(cancel && abort && abort.x >= cancel.x + cancel.width).toBe(true)
  })

  test('stays with an abort that is under way, whatever is pressed', async () => {
    const one = await openPage({ fake: usual() })
    await files(one).toHaveLength(20)
    await uploads(one).getByRole('checkbox').nth(1).check()
    await uploads(one).getByRole('button', { name: 'Abort 1 upload' }).click()
    const confirm = dialog(one).getByRole('button', { name: 'Abort 1 upload' })
    await confirm.waitFor()
    const release = await holdBack(one.page, /uploads\/abort/)
    await confirm.click()
    for (let time = 0; time < 3; time++) await one.page.keyboard.press('Escape')
    expect(await dialog(one).isVisible()).toBe(true)
    await release()
    await dialog(one).getByRole('status').getByText('1 upload was aborted').waitFor()
  })

  test('promises to ask again only where it does', async () => {
    const one = await openPage({ fake: usual(), hasOwnClock: true })
    await files(one).toHaveLength(20)
    const endLimit = await refuseWith(one.page, /uploads\/(abort|upl_)/, 'rate-limited', { 'retry-after': '7' })
    await uploads(one).getByRole('checkbox').nth(1).check()
    await uploads(one).getByRole('button', { name: 'Abort 1 upload' }).click()
    await dialog(one).getByText('Try again in 7 s').waitFor()
    await one.page.keyboard.press('Escape')
    await uploads(one).locator('tbody .name').first().click()
    await dialog(one).getByText('It is asked again in 7 s').waitFor()
    await endLimit()
    await one.page.clock.runFor(8000)
    await dialog(one).getByText('Timeline').waitFor()
  })

  test('says of bad input which, and clears also what is only typed', async () => {
    // The server's own answer.
    const one = await openPage()
    await uploads(one).getByText('No upload is unfinished').waitFor()
    await filterBy(one, '*')
    await uploads(one).getByRole('alert').getByText('The request is not valid: tenant must name one tenant.').waitFor()
    await uploads(one).getByRole('button', { name: 'Clear' }).click()
    await uploads(one).getByText('No upload is unfinished').waitFor()
    await uploads(one).getByLabel('Key begins with').fill('typed')
    await uploads(one).getByRole('button', { name: 'Clear' }).click()
    expect(await uploads(one).getByLabel('Key begins with').inputValue()).toBe('')
  })

  test('says no more that rules could not be added once they are', async () => {
    const one = await openPage({ fake: usual() })
    const section = sectionOf(one.page, 'Bucket lifecycle')
    await section.getByRole('button', { name: 'Add the missing rule' }).click()
    const mend = await refuseWith(one.page, /lifecycle/, 'storage-unavailable')
    const add = dialog(one).getByRole('button', { name: 'Add', exact: true })
    await add.click()
    await dialog(one).getByRole('alert').waitFor()
    await mend()
    await add.click()
    await dialog(one).getByText('The rules are there').waitFor()
    expect(await dialog(one).getByRole('alert').count()).toBe(0)
    const close = dialog(one).getByRole('button', { name: 'Close' })
    expect(await close.evaluate((button) => button === document.activeElement)).toBe(true)
  })

  test('offers more parts once an upload that is read again has them, each once', async () => {
    const upload = someUpload(2)
    const one = await openPage({ fake: { ...usual(), uploads: [upload] } })
    const { parts } = someDetail(upload)
    let nextPartsAfter: number | null = null
    await one.page.route(/uploads\/upl_/, (route) => {
      const after = Number(new URL(route.request().url()).searchParams.get('partsAfter') ?? 0)
      return route.fulfill({
        json: someDetail(upload, {
          parts: parts.slice(after, after + 50),
          nextPartsAfter: after === 0 ? nextPartsAfter : null,
        }),
      })
    })
    await uploads(one).locator('tbody .name').click()
    await dialog(one).getByText('Parts, one by one').click()
    const rows = dialog(one).locator('.known-parts tbody tr')
    await expect.poll(() => rows.count(), patient).toBe(50)
    nextPartsAfter = 50
    await dialog(one).getByRole('button', { name: 'Read again' }).click()
    await dialog(one).getByRole('button', { name: 'Show the next thousand' }).click()
    await expect.poll(() => rows.count(), patient).toBe(100)
    await dialog(one).getByRole('button', { name: 'Read again' }).click()
    await expect.poll(() => rows.count(), patient).toBe(50)
  })
})
