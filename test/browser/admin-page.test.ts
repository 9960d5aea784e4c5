import { afterEach, beforeAll, expect, test } from 'vitest'
import { measureUsage } from '../../server/admin/measure-usage.ts'
import { createApi } from '../support/api.ts'
import type { TestApp } from '../support/app.ts'
import { describeInBrowser } from '../support/chromium.ts'
import { letPass } from '../support/time-passing.ts'
import {
  type AdminPageUnderTest,
  adminPageTests,
  leaveUpload,
  patient,
  sectionOf,
  shownFiles,
  spaced,
  startAdminApp,
  stateOf,
} from './admin-page-support.ts'

describeInBrowser('the admin page', () => {
  const its = adminPageTests(() => startAdminApp({ environment: { PRICE_PER_GB_MONTH: '1024' } }))
  const { openPage } = its
  let app: TestApp
  beforeAll(() => {
    app = its.app
  })
  afterEach(async () => {
    app.cloud.faults.clear()
    await app.deps.db.prisma.$executeRaw`DELETE FROM uploads`
    await app.deps.db.prisma.$executeRaw`DELETE FROM sweeps`
  })
  const uploads = ({ page }: AdminPageUnderTest) => sectionOf(page, 'Uploads')
  const sweeps = ({ page }: AdminPageUnderTest) => sectionOf(page, 'Sweeps')
  const dialog = ({ page }: AdminPageUnderTest) => page.getByRole('dialog')
  const files = ({ page }: AdminPageUnderTest) => expect.poll(() => shownFiles(page), patient)

  /** Two uploads that nobody has moved for days, of which one can still be sent to. */
  async function leaveOldAndLive() {
    const old = await leaveUpload(app, { fileName: 'old.bin' })
    const live = await leaveUpload(app, { fileName: 'live.bin' })
    await app.deps.db.prisma
      .$executeRaw`UPDATE uploads SET grants_alive_until = now() + interval '10 minutes' WHERE id = ${live.id}`
    return { old, live }
  }

  test('shows each unfinished upload, the longest idle first, with what it holds and costs', async () => {
    await leaveUpload(app, { fileName: 'newer.bin', since: '3 hours', storedParts: 2 })
    await leaveUpload(app, { fileName: 'older.bin', since: '50 hours', tenant: 'zeta' })
    const one = await openPage()
    await files(one).toEqual(['older.bin', 'newer.bin'])
    const row = uploads(one).getByRole('row', { name: 'older.bin' })
    expect(spaced(await row.getByRole('cell').allInnerTexts())).toEqual([
      '',
      'uploading',
      '1.05 MB\n33% of 3.15 MB',
      '1.00',
      '2 d ago\nstale',
      '2 d ago',
      '–',
    ])
    expect(await row.locator('time').first().getAttribute('title')).toMatch(/^\d+ \w+ 20\d\d, \d\d:\d\d:\d\d /)
  })

  test('filters, orders and pages as asked, and keeps that in its address', async () => {
    for (let index = 0; index < 23; index++) {
      const fileName = `file-${String(index).padStart(2, '0')}.bin`
      await leaveUpload(app, { fileName, parts: 1, storedParts: 0, since: `${index + 1} hours` })
    }
    await leaveUpload(app, { fileName: 'big.bin', tenant: 'zeta', storedParts: 3, since: '30 minutes' })
    const one = await openPage()
    await files(one).toHaveLength(20)
    await one.page.getByRole('button', { name: 'Next page of uploads' }).click()
    await files(one).toEqual(['file-02.bin', 'file-01.bin', 'file-00.bin', 'big.bin'])
    await one.page.getByRole('button', { name: 'Previous page of uploads' }).click()
    await files(one).toHaveLength(20)

    await uploads(one).getByLabel('Idle for').selectOption({ label: '1 h or more' })
    await uploads(one).getByLabel('Tenant').fill('zeta')
    await uploads(one).getByRole('button', { name: 'Filter' }).click()
    await uploads(one).getByText('No upload is like that').waitFor()
    await uploads(one).getByLabel('Idle for').selectOption({ label: 'any time' })
    await files(one).toEqual(['big.bin'])
    expect(new URL(one.page.url()).hash).toBe('#tenant=zeta')
    await uploads(one).getByRole('button', { name: 'Clear' }).click()
    await uploads(one).getByLabel('Holding MB or more').fill('2')
    await one.page.keyboard.press('Enter')
    await files(one).toEqual(['big.bin'])
    await one.page.goBack()
    await files(one).toHaveLength(20)

    const held = uploads(one).getByRole('columnheader', { name: 'Held' })
    expect(await held.getAttribute('aria-sort')).toBe('none')
    await held.getByRole('button').click()
    await expect.poll(async () => (await shownFiles(one.page))[0], patient).toBe('big.bin')
    expect(await held.getAttribute('aria-sort')).toBe('descending')
    await held.getByRole('button').click()
    await expect.poll(async () => (await shownFiles(one.page))[0], patient).not.toBe('big.bin')
    expect(await held.getAttribute('aria-sort')).toBe('ascending')
    expect(new URL(one.page.url()).hash).toBe('#sort=storedBytes')
  })

  test('keeps what is selected when the same rows are ordered anew, and forgets what is no longer seen', async () => {
    await leaveUpload(app, { fileName: 'a.bin', since: '5 hours' })
    await leaveUpload(app, { fileName: 'b.bin', since: '4 hours', storedParts: 2 })
    const one = await openPage()
    await files(one).toEqual(['a.bin', 'b.bin'])
    await one.page.getByRole('checkbox', { name: 'Select a.bin' }).check()
    await uploads(one).getByText('1.05 MB held').waitFor()
    await uploads(one).getByRole('columnheader', { name: 'Held' }).getByRole('button').click()
    await files(one).toEqual(['b.bin', 'a.bin'])
    expect(await one.page.getByRole('checkbox', { name: 'Select a.bin' }).isChecked()).toBe(true)
    await uploads(one).getByLabel('Holding MB or more').fill('2')
    await one.page.keyboard.press('Enter')
    await files(one).toEqual(['b.bin'])
    await uploads(one).getByRole('button', { name: 'Abort selected' }).waitFor()
  })

  test('says before an abort what would happen to each, and Cancel changes nothing', async () => {
    const { old, live } = await leaveOldAndLive()
    const one = await openPage()
    await one.page.getByRole('checkbox', { name: 'Select all on this page' }).check()
    const abort = uploads(one).getByRole('button', { name: 'Abort 2 uploads' })
    await abort.click()
    await dialog(one).getByText('1 upload would be aborted, 1.05 MB freed; 1 would be left.').waitFor()
    const lines = spaced(await dialog(one).getByRole('listitem').allInnerTexts())
    expect(lines[0]).toMatch(
      /live\.bin[\s\S]*would be left: a part URL of it can still be used until .* \(in (9 min|10 min)\)/,
    )
    expect(lines[1]).toMatch(/old\.bin[\s\S]*would be aborted/)
    await dialog(one).getByRole('button', { name: 'Cancel' }).click()
    await dialog(one).waitFor({ state: 'detached' })
    expect([await stateOf(app, old), await stateOf(app, live)]).toEqual(['uploading', 'uploading'])
    expect(await abort.evaluate((button) => button === document.activeElement)).toBe(true)
  })

  test('aborts what may be aborted, leaves what is alive, and tells what was done', async () => {
    const { old, live } = await leaveOldAndLive()
    const one = await openPage()
    await one.page.getByRole('checkbox', { name: 'Select all on this page' }).check()
    await uploads(one).getByRole('button', { name: 'Abort 2 uploads' }).click()
    await dialog(one).getByRole('button', { name: 'Abort 1 upload' }).click()
    await dialog(one).getByRole('status').getByText('1 upload was aborted, 1.05 MB freed; 1 was left.').waitFor()
    expect([await stateOf(app, old), await stateOf(app, live)]).toEqual(['aborted', 'uploading'])
    await dialog(one).getByRole('button', { name: 'Close' }).click()
    await files(one).toEqual(['live.bin'])
    await one.page.locator('#announcer').getByText('1 upload was aborted').waitFor({ state: 'attached' })
    // Its report is among the sweeps.
    await sweeps(one)
      .getByRole('row', { name: /abort admin/ })
      .filter({ hasNotText: 'dry run' })
      .waitFor()
  })

  test('offers no abort where none would be aborted', async () => {
    const live = await leaveUpload(app, { fileName: 'live.bin' })
    await app.deps.db.prisma
      .$executeRaw`UPDATE uploads SET credentials_alive_until = now() + interval '1 hour', grants_alive_until = now() + interval '1 hour' WHERE id = ${live.id}`
    const one = await openPage()
    await one.page.getByRole('checkbox', { name: 'Select live.bin' }).check()
    await uploads(one).getByRole('button', { name: 'Abort 1 upload' }).click()
    await dialog(one).getByText('No upload would be aborted; 1 would be left.').waitFor()
    await dialog(one).getByText('credentials of it can still be used until').waitFor()
    expect(await dialog(one).getByRole('button').allInnerTexts()).toEqual(['Close'])
  })

  test('sweeps after a dry run, and reports both', async () => {
    const old = await leaveUpload(app, { fileName: 'old.bin', since: '30 hours' })
    const fresh = await leaveUpload(app, { fileName: 'fresh.bin', since: '5 hours' })
    const one = await openPage()
    await sweeps(one).getByLabel('Idle for hours').fill('24')
    await sweeps(one).getByRole('button', { name: 'Dry run' }).click()
    await dialog(one).getByText('Sweep uploads that are idle for 24 h?').waitFor()
    await dialog(one).getByText('1 upload would be aborted, 1.05 MB freed.').waitFor()
    expect(await stateOf(app, old)).toBe('uploading')
    await dialog(one).getByRole('button', { name: 'Sweep 1 upload' }).click()
    await dialog(one).getByText('1 upload was aborted, 1.05 MB freed.').waitFor()
    await dialog(one).getByRole('button', { name: 'Close' }).click()
    expect([await stateOf(app, old), await stateOf(app, fresh)]).toEqual(['aborted', 'uploading'])
    await files(one).toEqual(['fresh.bin'])
    const report = sweeps(one).getByRole('row', { name: /sweep/ }).filter({ hasNotText: 'dry run' })
    await report.getByText('admin').waitFor()
    expect(await report.getByRole('cell').first().innerText()).toBe('1')
  })

  test('shows one upload’s life and parts', async () => {
    const upload = await leaveUpload(app, { fileName: 'life.bin', parts: 4, storedParts: 3, since: '5 hours' })
    const api = createApi(app.url, app.token({ tenant: 'acme', scopes: ['uploads', 'credentials'] }))
    expect((await api('grantCredentials', { id: upload.id })).status).toBe(200)
    await letPass(app, '1 minute', [upload.id])
    const one = await openPage()
    await uploads(one).getByRole('button', { name: 'life.bin' }).click()
    const sheet = one.page.getByRole('dialog', { name: 'life.bin' })
    await sheet.getByText('3 of 4 parts stored: 1–3').waitFor()
    expect(spaced(await sheet.locator('.timeline .what').allTextContents()).sort()).toEqual([
      'Created',
      'Credentials end',
      'Credentials handed to alice, for 15 min',
      'Expires, if nothing more happens',
      'From starting to uploading',
      'Last activity',
      'Last part URL handed out, of 3',
      'The last part URL ends',
    ])
    // Three stored parts with gaps between them, and an empty one.
    const runs = await sheet.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext('2d')?.getImageData(0, 1, canvas.width, 1) ?? { data: [] }
      const pixels = Array.from({ length: canvas.width }, (_, x) => data.slice(4 * x, 4 * x + 4).join())
      return pixels.filter((pixel, x) => pixel !== pixels[x - 1])
    })
    expect([runs.length, new Set(runs).size]).toEqual([6, 2])
    await sheet.getByText('Parts, one by one').click()
    await expect.poll(() => sheet.locator('.known-parts tbody tr').count(), patient).toBe(3)
    await one.page.keyboard.press('Escape')
    await sheet.waitFor({ state: 'detached' })
    const name = uploads(one).getByRole('button', { name: 'life.bin' })
    expect(await name.evaluate((button) => button === document.activeElement)).toBe(true)
  })

  test('counts what is held, by age and holder, and narrows the table to a holder', async () => {
    await leaveUpload(app, { fileName: 'a.bin', tenant: 'acme', storedParts: 1, since: '30 hours' })
    await leaveUpload(app, { fileName: 'z.bin', tenant: 'zeta', storedParts: 2, since: '2 hours' })
    await measureUsage(app.deps)
    const one = await openPage()
    await one.page.getByRole('button', { name: '1 upload idle for 24 h' }).waitFor()
    expect(spaced(await one.page.locator('.figures strong').allTextContents())).toEqual([
      '3.15 MB',
      '3.00',
      '1.05 MB',
      '2',
    ])
    const ages = sectionOf(one.page, 'By age').locator('tbody tr')
    expect(spaced(await ages.allTextContents()).slice(1, 3)).toEqual(['1 hour to 1 day12.10 MB', '1 to 3 days11.05 MB'])
    const holders = sectionOf(one.page, 'Biggest holders')
    expect(spaced(await holders.locator('tbody tr').allTextContents())).toEqual([
      'zetalimits2.002.10 MB',
      'acmelimits1.001.05 MB',
    ])
    await holders.getByRole('button', { name: 'zeta', exact: true }).click()
    await files(one).toEqual(['z.bin'])
  })
})
