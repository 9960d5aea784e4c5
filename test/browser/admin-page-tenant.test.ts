import { afterEach, expect, test } from 'vitest'
import { measureUsage } from '../../server/admin/measure-usage.ts'
import { createApi } from '../support/api.ts'
import { describeInBrowser } from '../support/chromium.ts'
import {
  type AdminPageUnderTest,
  adminPageTests,
  faultsOf,
  holdBack,
  leaveUpload,
  looks,
  patient,
  refuseWith,
  sectionOf,
  shownFiles,
  spaced,
  startAdminApp,
} from './admin-page-support.ts'

describeInBrowser('a tenant on the admin page', () => {
  const its = adminPageTests(() =>
    startAdminApp({ environment: { QUOTA_OPEN_UPLOADS: '10', QUOTA_CREATES_PER_MINUTE: '600' } }),
  )
  afterEach(async () => {
    await its.app.deps.db.prisma.$executeRaw`DELETE FROM uploads`
    await its.app.deps.db.prisma.$executeRaw`DELETE FROM tenants`
  })
  const operator = () => createApi(its.app.url, its.app.token({ subject: 'admin', tenant: '*', scopes: ['admin'] }))
  async function tenantAtServer(tenant: string) {
    const reply = await operator()('getTenant', { tenant })
    expect(reply.status).toBe(200)
    return reply.body.tenant
  }
  const sheet = ({ page }: AdminPageUnderTest, tenant = 'acme') =>
    page.getByRole('dialog', { name: `Tenant ${tenant}`, exact: true })
  const question = ({ page }: AdminPageUnderTest, name: string) => page.getByRole('dialog', { name })
  const rows = async (one: AdminPageUnderTest) =>
    spaced(await sheet(one).locator('.usage tbody tr').allInnerTexts()).map((row) => row.split(/\s*[\n\t]\s*/))
  /** The page, with the sheet of acme, which holds one upload of 3 MiB. */
  async function openSheet(options: Parameters<typeof its.openPage>[0] = {}): Promise<AdminPageUnderTest> {
    await leaveUpload(its.app, { fileName: 'a.bin' })
    await measureUsage(its.app.deps)
    const one = await its.openPage(options)
    await one.page.getByRole('button', { name: 'Limits of acme' }).click()
    await sheet(one).getByText('Open uploads').first().waitFor()
    return one
  }

  test('is opened from the biggest holders, and shows what it has against what it may have', async () => {
    await operator()('updateTenant', { tenant: 'acme', body: { limits: { maxOpenUploads: 1 } } })
    const one = await openSheet()
    expect(await rows(one)).toEqual([
      ['Open uploadsreached', '1', '1', 'its own'],
      ['Bytes in flight', '3.15 MB', 'no limit'],
      ['Created in a minute', expect.stringMatching(/^[01]$/), '600', 'the server’s'],
    ])
    const field = (name: string) => sheet(one).getByLabel(name, { exact: true })
    expect(await field('Open uploads').inputValue()).toBe('1')
    expect(await field('Bytes in flight, GB').getAttribute('placeholder')).toBe('no limit')
    expect(await field('Created in a minute').getAttribute('placeholder')).toBe('600')
    await one.page.keyboard.press('Escape')
    await sheet(one).waitFor({ state: 'detached' })
    const opener = one.page.getByRole('button', { name: 'Limits of acme' })
    expect(await opener.evaluate((button) => button === document.activeElement)).toBe(true)
  })

  test('is opened from one of its uploads, and from the table that is narrowed to it', async () => {
    await leaveUpload(its.app, { fileName: 'z.bin', tenant: 'zeta' })
    const one = await its.openPage()
    await sectionOf(one.page, 'Uploads').getByRole('button', { name: 'z.bin' }).click()
    await one.page.getByRole('dialog', { name: 'z.bin' }).getByRole('button', { name: 'Limits of zeta' }).click()
    await sheet(one, 'zeta').getByText('It gets uploads').waitFor()
    await one.page.keyboard.press('Escape')
    await one.page.getByRole('dialog', { name: 'z.bin' }).getByRole('button', { name: 'Close' }).click()
    await one.page.getByLabel('Tenant').first().fill('nobody')
    await one.page.keyboard.press('Enter')
    await sectionOf(one.page, 'Uploads').getByRole('button', { name: 'Limits of this tenant' }).click()
    await sheet(one, 'nobody').getByText('It gets uploads').waitFor()
  })

  test('gets other limits after a question that says what they mean, and the server’s again where a field is empty', async () => {
    await operator()('updateTenant', { tenant: 'acme', body: { limits: { maxCreatesPerMinute: 30 } } })
    const one = await openSheet()
    const change = sheet(one).getByRole('button', { name: 'Change limits' })
    await sheet(one).getByLabel('Open uploads').fill('0')
    await sheet(one).getByLabel('Bytes in flight').fill('1.5')
    await sheet(one).getByLabel('Created in a minute').fill('')
    await change.click()
    const asked = question(one, 'Change the limits of acme?')
    expect(spaced(await asked.getByRole('listitem').allInnerTexts())).toEqual([
      'Open uploads: 0 at most, so far as the server has it for every tenant. It has 1: nothing is ended, and nothing new begins until that is less.',
      'Bytes in flight: 1.50 GB at most, so far as the server has it for every tenant.',
      'Created in a minute: as the server has it for every tenant, so far 30.',
    ])
    await asked.getByRole('button', { name: 'Cancel' }).click()
    expect((await tenantAtServer('acme')).limits.maxOpenUploads).toBe(null)
    await change.click()
    await asked.getByRole('button', { name: 'Change limits' }).click()
    await asked.getByRole('status').getByText('The limits hold').waitFor()
    await asked.getByRole('button', { name: 'Close' }).click()
    await expect.poll(async () => (await rows(one))[0], patient).toEqual(['Open uploadsreached', '1', '0', 'its own'])
    expect((await tenantAtServer('acme')).limits).toEqual({
      maxOpenUploads: 0,
      maxBytesInFlight: 1_500_000_000,
      maxCreatesPerMinute: null,
    })
  })

  test('keeps limits that somebody else has set meanwhile, where the page changes others', async () => {
    const one = await openSheet()
    await operator()('updateTenant', { tenant: 'acme', body: { limits: { maxBytesInFlight: 5_000_000 } } })
    await sheet(one).getByLabel('Open uploads').fill('7')
    await one.page.keyboard.press('Enter')
    await question(one, 'Change the limits of acme?').getByRole('button', { name: 'Change limits' }).click()
    await question(one, 'Change the limits of acme?').getByRole('button', { name: 'Close' }).click()
    await expect.poll(async () => (await rows(one))[1]?.[2], patient).toBe('5.00 MB')
    expect((await tenantAtServer('acme')).limits).toMatchObject({ maxOpenUploads: 7, maxBytesInFlight: 5_000_000 })
  })

  test('is suspended after a question, once however often the button is pressed, and taken back', async () => {
    const one = await openSheet()
    await sheet(one).getByRole('button', { name: 'Suspend' }).click()
    const asked = question(one, 'Suspend acme?')
    await asked.getByText('1 open upload stays as it is').waitFor()
    await asked.getByRole('button', { name: 'Cancel' }).click()
    expect((await tenantAtServer('acme')).suspended).toBe(false)
    await sheet(one).getByRole('button', { name: 'Suspend' }).click()
    let changes = 0
    one.page.on('request', (request) => {
      if (request.method() === 'PATCH') changes++
    })
    const release = await holdBack(one.page, /tenants/)
    await asked.getByRole('button', { name: 'Suspend' }).dblclick()
    await one.page.keyboard.press('Escape')
    await release()
    await asked.getByText('It is suspended').waitFor()
    expect(changes).toBe(1)
    await asked.getByRole('button', { name: 'Close' }).click()
    await sheet(one).getByText('it gets no new uploads').waitFor()
    const refused = await createApi(its.app.url, its.app.token({ tenant: 'acme' }))('createUpload', {
      body: { fileName: 'b.bin', sizeBytes: 5 },
    })
    expect([refused.status, refused.body.code]).toEqual([403, 'tenant-suspended'])

    await sheet(one).getByRole('button', { name: 'Lift suspension' }).click()
    const lifting = question(one, 'Lift the suspension of acme?')
    await lifting.getByRole('button', { name: 'Lift suspension' }).click()
    await lifting.getByRole('button', { name: 'Close' }).click()
    await sheet(one).getByText('It gets uploads').waitFor()
    expect((await tenantAtServer('acme')).suspended).toBe(false)
  })

  test('says why a change failed, keeps what was typed, and makes it when told again', async () => {
    const one = await openSheet()
    const mend = await refuseWith(one.page, /tenants/, 'database-unavailable')
    await sheet(one).getByLabel('Open uploads').fill('7')
    await sheet(one).getByRole('button', { name: 'Change limits' }).click()
    const asked = question(one, 'Change the limits of acme?')
    await asked.getByRole('button', { name: 'Change limits' }).click()
    await asked.getByRole('alert').getByText('The database cannot be reached.').waitFor()
    await mend()
    await asked.getByRole('button', { name: 'Change limits' }).click()
    await asked.getByText('The limits hold').waitFor()
    expect(await asked.getByRole('alert').count()).toBe(0)
    expect((await tenantAtServer('acme')).limits.maxOpenUploads).toBe(7)
  })

  test('shows its own administrator what it has, lets it be suspended, and says what needs more', async () => {
    const token = its.app.token({ tenant: 'acme', scopes: ['admin'] })
    await operator()('updateTenant', { tenant: 'acme', body: { suspended: true } })
    const one = await its.openPage({ token })
    await one.page.getByRole('button', { name: 'Tenant acme' }).click()
    await sheet(one).getByText('set by administrators of all tenants').waitFor()
    expect(await sheet(one).getByRole('textbox').count()).toBe(0)
    await sheet(one).getByRole('button', { name: 'Lift suspension' }).click()
    const asked = question(one, 'Lift the suspension of acme?')
    await asked.getByRole('button', { name: 'Lift suspension' }).click()
    await asked.getByRole('alert').getByText('Only an administrator of all tenants can lift this suspension').waitFor()
  })

  test.each(looks)(
    'has no serious fault in %s on a %s, with a name that is hard to show',
    async (colorScheme, _name, device) => {
      const hard = `<b>${'W'.repeat(200)}\u202Egpj`
      await leaveUpload(its.app, { fileName: 'a.bin', tenant: hard })
      await operator()('updateTenant', { tenant: hard, body: { suspended: true, limits: { maxOpenUploads: 1 } } })
      await measureUsage(its.app.deps)
      const one = await its.openPage({ colorScheme, ...device })
      await expect.poll(() => shownFiles(one.page), patient).toEqual(['a.bin'])
      await sectionOf(one.page, 'Biggest holders').getByRole('button', { name: 'Limits of' }).click()
      const opened = one.page.getByRole('dialog')
      await opened.getByText('Suspended').waitFor()
      const faults = await faultsOf(one.page)
      await opened.getByLabel('Open uploads').fill('0')
      await opened.getByRole('button', { name: 'Change limits' }).click()
      await opened.getByRole('listitem').waitFor()
      faults.push(...(await faultsOf(one.page)))
      expect(faults).toEqual([])
      expect(await opened.locator('b').count()).toBe(0)
      const isWider = await one.page.evaluate(() =>
        Array.from(document.querySelectorAll('dialog .body'), (body) => body.scrollWidth > body.clientWidth),
      )
      expect(isWider).toEqual([false, false])
    },
  )

  test('is worked with the keyboard alone', async () => {
    const one = await openSheet()
    const { keyboard } = one.page
    const focused = () => one.page.evaluate(() => document.activeElement?.textContent?.trim() ?? '')
    expect(await focused()).toBe('Close')
    await sheet(one).getByLabel('Open uploads').focus()
    await keyboard.type('5')
    await keyboard.press('Enter')
    await question(one, 'Change the limits of acme?').waitFor()
    expect(await focused()).toBe('Cancel')
    await keyboard.press('Tab')
    expect(await focused()).toBe('Change limits')
    await keyboard.press('Enter')
    await one.page.getByText('The limits hold').waitFor()
    expect(await focused()).toBe('Close')
    await keyboard.press('Enter')
    await expect.poll(async () => (await rows(one))[0]?.[2], patient).toBe('5')
    await keyboard.press('Escape')
    await sheet(one).waitFor({ state: 'detached' })
  })
})
