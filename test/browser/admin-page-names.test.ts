import { beforeAll, expect, test } from 'vitest'
import { createApi } from '../support/api.ts'
import { describeInBrowser } from '../support/chromium.ts'
import { letPass } from '../support/time-passing.ts'
import { adminPageTests, faultsOf, patient, sectionOf, shownFiles } from './admin-page-support.ts'

const seeds = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  "'; alert(1); '",
  '{{constructor.constructor("alert(1)")()}}',
  '${alert(1)}',
  'javascript:alert(1)',
  '</td></tr></table><h1>broken</h1>',
  '<style>*{display:none}</style>',
  '<!-- ',
  '&lt;b&gt;&amp;&#x41;',
  'invoice-\u202Egpj.exe',
  '\u2066\u2067\u202Eupside',
  '\u200B\u200B\u200B',
  '\u200D',
  '\u3164',
  '   ',
  '\u00A0',
  'a\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308'.repeat(8),
  '👩‍👩‍👧‍👦🏳️‍🌈🇩🇪',
  '👍'.repeat(250),
  'W'.repeat(1024),
  '漢'.repeat(341),
  'ﷺ'.repeat(300),
  'مرحبا '.repeat(60),
  '..',
  '-rf *',
  'CON',
  'a/b\\c',
  '%3Cscript%3E',
  '=cmd|"/c calc"!A1',
  'DROP TABLE uploads; --',
  'constructor',
  '__proto__',
  'null',
]
/** Two hundred: each seed by itself and with a number at one end or the other. */
const names = Array.from({ length: 200 }, (_, index) => {
  const seed = seeds[index % seeds.length] ?? ''
  const round = Math.floor(index / seeds.length)
  if (round === 0) return seed
  const room = [...seed].slice(0, 200).join('')
  return round % 2 === 0 ? `${room}${round}` : `${round}${room}`
})

const unspelled = (shown: string) =>
  shown.replace(/⟨U\+([0-9A-F]+)⟩/g, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))

describeInBrowser('the admin page, with 200 hostile file names,', () => {
  const its = adminPageTests()
  beforeAll(async () => {
    const { app } = its
    const api = createApi(app.url, app.token({ subject: '<b>"&\u202E', tenant: "'><i>t" }))
    for (const fileName of names) {
      const reply = await api('createUpload', { body: { fileName, sizeBytes: 5 } })
      expect([fileName, reply.status]).toEqual([fileName, 201])
      await letPass(app, '1 second')
    }
    await letPass(app, '2 days')
  })

  test.each([
    [1280, 800],
    [375, 740],
  ])('runs none, opens no dialog, and stays as wide as its window of %i px', async (width, height) => {
    const { page } = await its.openPage({ viewport: { width, height } })
    const next = page.getByRole('button', { name: 'Next page of uploads' })
    let seen = 0
    for (let number = 1; number <= 10; number++) {
      await page.getByRole('navigation', { name: 'Pages of uploads' }).getByText(`Page ${number}`).waitFor()
      // The first created are the longest idle. As they are, or with what nobody sees spelled out; never less.
      const meant = async () => (await shownFiles(page)).map(unspelled)
      await expect.poll(meant, patient).toEqual(names.slice(seen, seen + 20))
      const shown = await shownFiles(page)
      expect(shown.join('')).not.toMatch(/[\u200b\u202a-\u202e\u2066-\u2069]/)
      seen += shown.length
      const layout = await page.evaluate(() => ({
        isWider: document.documentElement.scrollWidth > innerWidth,
        tallest: Math.max(
          ...Array.from(document.querySelectorAll('.uploads-table tbody tr'), (row) => row.clientHeight),
        ),
        injected: document.querySelectorAll('table h1, table script, table img, table svg, table style, table i')
          .length,
      }))
      expect(layout).toMatchObject({ isWider: false, injected: 0 })
      expect(layout.tallest).toBeLessThan(200)
      if (number < 10) await next.click()
    }
    expect(seen).toBe(200)
    await page.getByRole('checkbox', { name: 'Select all on this page' }).check()
    await page.getByRole('button', { name: 'Abort 20 uploads' }).click()
    await page.getByRole('dialog').getByText('would be').first().waitFor()
    expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)).toBe(false)
    await page.keyboard.press('Escape')
    for (const index of [0, 9, 18]) {
      await sectionOf(page, 'Uploads').locator('tbody .name').nth(index).click()
      await page.getByRole('dialog').getByText('Timeline').waitFor()
      const isWider = await page.evaluate(() => {
        const body = document.querySelector('dialog .body')
        return body === null || body.scrollWidth > body.clientWidth
      })
      expect(isWider).toBe(false)
      expect(await faultsOf(page)).toEqual([])
      await page.keyboard.press('Escape')
    }
  })
})
