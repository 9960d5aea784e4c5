import { expect, test } from 'vitest'
import { describeInBrowser } from '../support/chromium.ts'
import { someCors, someOrphans, someSweeps } from './admin-fixtures.ts'
import { adminPageTests, patient, sectionOf, shownFiles } from './admin-page-support.ts'
import { type Administration, someAdministration } from './fake-administration.ts'

describeInBrowser('the sections of the admin page', () => {
  const { openPage } = adminPageTests()
  const usual = () => someAdministration(30)
  const asked = (requests: readonly string[], path: string) => requests.filter((one) => one.includes(path)).length

  test('fail each alone, and say what the server said', async () => {
    const fake: Administration = { ...usual(), summary: 'database-unavailable', orphans: 'storage-unavailable' }
    const one = await openPage({ fake })
    await one.page.getByText('The database cannot be reached').waitFor()
    await sectionOf(one.page, 'Orphans').getByText('Object storage cannot be reached').waitFor()
    await expect.poll(() => shownFiles(one.page), patient).toHaveLength(20)
    await sectionOf(one.page, 'Sweeps').getByRole('row').nth(3).waitFor()
    fake.orphans = someOrphans()
    await sectionOf(one.page, 'Orphans').getByRole('button', { name: 'Try again' }).click()
    await sectionOf(one.page, 'Orphans')
      .getByRole('row', { name: /flight-0418/ })
      .waitFor()
  })

  test('are read anew every 30 seconds, but not while a dialog is open or something is selected', async () => {
    const one = await openPage({ fake: usual(), hasOwnClock: true })
    await expect.poll(() => shownFiles(one.page), patient).toHaveLength(20)
    await expect.poll(() => asked(one.requests, '/summary'), patient).toBe(1)
    await one.page.clock.runFor(31_000)
    await expect.poll(() => asked(one.requests, '/summary'), patient).toBe(2)
    await expect.poll(() => asked(one.requests, '/admin/uploads?'), patient).toBe(2)
    // Each of these costs requests to OSS.
    expect(asked(one.requests, '/orphans')).toBe(1)

    await sectionOf(one.page, 'Uploads').locator('tbody .name').first().click()
    await one.page.getByRole('dialog').getByText('Timeline').waitFor()
    await one.page.clock.runFor(120_000)
    expect(asked(one.requests, '/summary')).toBe(2)
    await one.page.keyboard.press('Escape')
    // Long due: at once.
    await expect.poll(() => asked(one.requests, '/summary'), patient).toBe(3)
    await expect.poll(() => asked(one.requests, '/admin/uploads?'), patient).toBe(3)
    await one.page.getByRole('checkbox', { name: 'Select all on this page' }).check()
    await one.page.clock.runFor(31_000)
    await expect.poll(() => asked(one.requests, '/summary'), patient).toBe(4)
    expect(asked(one.requests, '/admin/uploads?')).toBe(3)
  })

  test('leave a server alone for as long as it asks, and come back by themselves', async () => {
    const fake: Administration = { ...usual(), cors: 'rate-limited', retryAfterSeconds: 7 }
    const one = await openPage({ fake, hasOwnClock: true })
    const section = sectionOf(one.page, 'Bucket CORS')
    await section.getByText('It is asked again in 7 s').waitFor()
    fake.cors = someCors
    await one.page.clock.runFor(5000)
    expect(asked(one.requests, '/cors')).toBe(1)
    await one.page.clock.runFor(3000)
    await section.getByText('https://app.example.com').waitFor()
    expect(asked(one.requests, '/cors')).toBe(2)
  })

  test('follow a sweep every two seconds while it runs', async () => {
    const fake = { ...usual(), sweeps: someSweeps() }
    const one = await openPage({ fake, hasOwnClock: true })
    const running = sectionOf(one.page, 'Sweeps').getByRole('row', { name: /under way/ })
    await running.getByText('1,102').waitFor()
    const [first] = fake.sweeps
    if (first) fake.sweeps = [{ ...first, aborted: 1900 }]
    await one.page.clock.runFor(3000)
    await running.getByText('1,900').waitFor()
  })
})
