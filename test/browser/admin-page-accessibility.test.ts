import { expect, test } from 'vitest'
import { describeInBrowser } from '../support/chromium.ts'
import { someSweeps } from './admin-fixtures.ts'
import {
  adminPageTests,
  faultsOf,
  leaveUpload,
  looks,
  patient,
  sectionOf,
  shownFiles,
  stateOf,
} from './admin-page-support.ts'
import { type Administration, someAdministration } from './fake-administration.ts'

describeInBrowser('the admin page, for everybody,', () => {
  const its = adminPageTests()
  const { openPage } = its
  const busy: Administration = { ...someAdministration(68), sweeps: someSweeps() }

  test.each(looks)(
    'has no serious fault in %s on a %s: signed out, busy, asking, one upload, failing',
    async (colorScheme, _device, device) => {
      const faults: Record<string, string[]> = {}
      const out = await openPage({ hash: '', colorScheme, ...device })
      await out.page.getByLabel('Admin token').waitFor()
      faults['signed out'] = await faultsOf(out.page)

      const one = await openPage({ fake: busy, colorScheme, ...device })
      await sectionOf(one.page, 'Bucket lifecycle').getByText('old-logs').waitFor()
      await one.page.locator('.u-over').waitFor()
      faults.busy = await faultsOf(one.page)
      await one.page.getByRole('checkbox', { name: 'Select all on this page' }).check()
      await one.page.getByRole('button', { name: 'Abort 20 uploads' }).click()
      await one.page.getByRole('dialog').getByText('would be aborted').first().waitFor()
      faults.asking = await faultsOf(one.page)
      await one.page.keyboard.press('Escape')
      await sectionOf(one.page, 'Uploads').locator('tbody .name').nth(2).click()
      await one.page.getByRole('dialog').getByText('Timeline').waitFor()
      faults['one upload'] = await faultsOf(one.page)

      const failing: Administration = {
        uploads: [],
        summary: 'database-unavailable',
        sweeps: 'internal',
        orphans: 'storage-unavailable',
        lifecycle: 'storage-unavailable',
        cors: 'storage-unavailable',
      }
      const two = await openPage({ fake: failing, colorScheme, ...device })
      await expect.poll(() => two.page.getByRole('alert').count(), patient).toBe(5)
      faults.failing = await faultsOf(two.page)
      expect(Object.entries(faults).filter(([, found]) => found.length > 0)).toEqual([])
    },
  )

  test('is worked with the keyboard alone: filter, select, abort, confirm, and back', async () => {
    await leaveUpload(its.app, { fileName: 'keep.bin', tenant: 'other' })
    const doomed = await leaveUpload(its.app, { fileName: 'doomed.bin' })
    const one = await openPage()
    const { keyboard } = one.page
    const focused = () =>
      one.page.evaluate(() => {
        const { activeElement: element } = document
        const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : undefined
        return element?.getAttribute('aria-label') ?? label?.trim() ?? element?.textContent?.trim() ?? ''
      })
    /** Presses Tab until the keyboard is at something of this name. */
    async function tabTo(name: string) {
      for (let step = 0; step < 40; step++) {
        if ((await focused()) === name) return
        await keyboard.press('Tab')
      }
      throw new Error(`no ${name} within 40 steps; at ${await focused()}`)
    }
    await expect.poll(() => shownFiles(one.page), patient).toHaveLength(2)
    await tabTo('Tenant')
    await keyboard.type('acme')
    await keyboard.press('Enter')
    await expect.poll(() => shownFiles(one.page), patient).toEqual(['doomed.bin'])
    expect(await focused()).toBe('Tenant')
    await tabTo('Select doomed.bin')
    await keyboard.press('Space')
    await tabTo('Abort 1 upload …')
    await keyboard.press('Enter')
    const dialog = one.page.getByRole('dialog', { name: 'Abort 1 upload?' })
    await dialog.getByText('1 upload would be aborted').waitFor()
    // The safe one: whoever presses Enter once too often changes nothing.
    expect(await focused()).toBe('Cancel')
    await tabTo('Abort 1 upload')
    await keyboard.press('Enter')
    await dialog.getByRole('status').getByText('1 upload was aborted').waitFor()
    expect(await focused()).toBe('Close')
    await keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
    expect(await stateOf(its.app, doomed)).toBe('aborted')
    await sectionOf(one.page, 'Uploads').getByText('No upload is like that').waitFor()
    expect(await focused()).toBe('Abort selected …')
  })

  test('gives everything its name, and the curve as a table', async () => {
    const one = await openPage({ fake: busy })
    await sectionOf(one.page, 'Bucket lifecycle').getByText('old-logs').waitFor()
    const headings = await one.page.getByRole('heading').allInnerTexts()
    expect(headings).toEqual([
      'Partway administration',
      'Held in unfinished uploads',
      'Over time',
      'By age',
      'Biggest holders',
      'Uploads',
      'Sweeps',
      'Orphans',
      'Bucket lifecycle',
      'Bucket CORS',
    ])
    expect(await one.page.getByRole('table', { name: 'Bytes held over time' }).getByRole('row').count()).toBe(85)
    await one.page.getByRole('table', { name: 'Bytes held by the age of their uploads' }).waitFor()
    const unnamed = await one.page.evaluate(() =>
      Array.from(document.querySelectorAll('button, input, select'), (control) => {
        const labels = control instanceof HTMLButtonElement ? 0 : (control as HTMLInputElement).labels?.length
        const name = control.getAttribute('aria-label') ?? control.textContent?.trim()
        return labels || name || !control.checkVisibility() ? null : control.outerHTML
      }).filter((html) => html !== null),
    )
    expect(unnamed).toEqual([])
  })
})
