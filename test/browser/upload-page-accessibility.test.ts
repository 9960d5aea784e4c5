import { readFileSync } from 'node:fs'
import { truncate } from 'node:fs/promises'
import type { AxeResults } from 'axe-core'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestApp } from '../support/app.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { type Files, makeFiles, openUploadPage, type PageUnderTest, startPageApp } from './upload-page-support.ts'

const MB = 1_000_000
const axe = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }
const desktop = { viewport: { width: 1100, height: 800 } }

describeInBrowser('the upload page, for everybody,', () => {
  let browser: Browser
  let app: TestApp
  let files: Files
  beforeAll(async () => {
    browser = await launchChromium()
    app = await startPageApp()
    files = await makeFiles()
  })
  afterAll(async () => {
    await browser.close()
    await app.close()
    await files.remove()
  })

  /** Whatever axe finds that is serious or critical, and whether the page is wider than its window. */
  async function faultsOf({ page }: PageUnderTest): Promise<string[]> {
    await page.evaluate(axe)
    const results = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run())
    const isWider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
    return [
      ...results.violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`)),
      ...(isWider ? ['wider than the window'] : []),
    ]
  }

  test.each([
    ['light', 'desktop', desktop],
    ['dark', 'desktop', desktop],
    ['light', 'phone', phone],
    ['dark', 'phone', phone],
  ] as const)(
    'has no serious fault in %s on a %s: signed out, empty, busy, paused, unfinished, failed, finished',
    async (colorScheme, _device, device) => {
      const one = await openUploadPage(browser, app, { hash: '', colorScheme, ...device })
      const faults: Record<string, string[]> = {}
      const inspect = async (what: string) => {
        faults[what] = await faultsOf(one)
      }
      await one.page.getByLabel('Token').waitFor()
      await inspect('signed out')
      await one.page.goto(`${app.url}/?in#token=${one.token}`)
      await one.page.getByRole('button', { name: 'Choose files' }).waitFor()
      await inspect('empty')
      app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 3000 } })
      const long = `${'a-name-without-any-place-to-break-'.repeat(6)}.bin`
      const busy = [await files.make(long, 30 * MB), await files.make('b.bin', 30 * MB)]
      await one.page.setInputFiles(
        '#files',
        busy.map(({ path }) => path),
      )
      await one.untilState(long, 'sending')
      await inspect('busy')
      await one.page.getByRole('button', { name: `Cancel: ${long}` }).click()
      await inspect('asking')
      await one.page.getByRole('button', { name: 'Keep it' }).click()
      await one.page.getByRole('button', { name: 'Pause all' }).click()
      await one.untilState('b.bin', 'paused')
      await inspect('paused')
      await one.page.reload()
      await one.page.getByText('Unfinished uploads').waitFor()
      await inspect('unfinished')
      app.cloud.faults.clear()
      app.cloud.faults.add({
        match: { verb: 'UploadPart' },
        effect: { kind: 'answer', status: 403, code: 'AccessDenied' },
      })
      await one.page.setInputFiles('#files', (await files.make('c.bin', 5 * MB)).path)
      await one.untilState('c.bin', 'failed')
      await inspect('failed')
      app.cloud.faults.clear()
      await one.page.getByRole('button', { name: 'Try again: c.bin' }).click()
      await one.page.setInputFiles(
        '#files',
        busy.map(({ path }) => path),
      )
      for (const name of ['c.bin', 'b.bin', long]) await one.untilState(name, 'completed')
      await inspect('finished')
      expect(Object.entries(faults).filter(([, found]) => found.length > 0)).toEqual([])
      expect(one.complaints).toEqual([])
      await one.close()
    },
  )

  test('is worked with the keyboard alone, and every button says which file it is for', async () => {
    const one = await openUploadPage(browser, app)
    app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 3000 } })
    const names = ['k1.bin', 'k2.bin']
    await one.page.setInputFiles(
      '#files',
      await Promise.all(names.map(async (name) => (await files.make(name, 20 * MB)).path)),
    )
    for (const name of names) await one.untilState(name, 'sending')
    const reached: (string | null)[] = []
    await one.page.locator('body').focus()
    for (let step = 0; step < 12; step++) {
      await one.page.keyboard.press('Tab')
      reached.push(
        await one.page.evaluate(
          () =>
            document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim() ?? null,
        ),
      )
    }
    expect(reached.slice(0, 8)).toEqual([
      'Choose files',
      'Choose a folder',
      'Pause all',
      'Pause: k1.bin',
      'Cancel: k1.bin',
      'Pause: k2.bin',
      'Cancel: k2.bin',
      'HTTP API',
    ])
    const focused = one.page.getByRole('button', { name: 'Pause: k1.bin' })
    await focused.focus()
    await one.page.keyboard.press('Space')
    await one.untilState('k1.bin', 'paused')
    // The same button resumes: the keyboard need not look for it.
    expect(await one.page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Resume: k1.bin')
    app.cloud.faults.clear()
    await one.close()
  })

  test('announces what happened in a few sentences, however many files there are', async () => {
    const one = await openUploadPage(browser, app)
    await one.page.evaluate(() => {
      const said: string[] = []
      Object.assign(window, { said })
      const region = document.querySelector('#announcer') as Node
      new MutationObserver(() => said.push(region.textContent ?? '')).observe(region, {
        childList: true,
        characterData: true,
        subtree: true,
      })
    })
    const paths = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => (await files.make(`say/${index}.txt`, 10)).path),
    )
    await one.page.setInputFiles('#files', paths)
    await one.page.locator('#announcer').getByText('Everything is uploaded').waitFor({ state: 'attached' })
    const said = await one.page.evaluate(() => (window as unknown as { said: string[] }).said)
    expect(said[0]).toContain('40 files added')
    expect(said.length).toBeLessThanOrEqual(8)
    await one.close()
  })

  test('draws a strip for every file, from one part to ten thousand', async () => {
    const one = await openUploadPage(browser, app)
    /** The colours along the strip, each as often as it begins anew. */
    const runs = (name: string) =>
      one
        .row(name)
        .locator('canvas')
        .evaluate((canvas: HTMLCanvasElement) => {
          const { data } = canvas.getContext('2d')?.getImageData(0, 1, canvas.width, 1) ?? { data: [] }
          const pixels = Array.from({ length: canvas.width }, (_, x) => data.slice(4 * x, 4 * x + 4).join())
          return pixels.filter((pixel, x) => pixel !== pixels[x - 1])
        })
    const four = await files.make('four.bin', 30 * MB)
    await one.page.setInputFiles('#files', [four.path, (await files.make('one.txt', 10)).path])
    await one.untilState('four.bin', 'completed')
    await one.untilState('one.txt', 'completed')
    // Four stored parts, and the gaps between them.
    await expect.poll(() => runs('four.bin'), { timeout: 5000 }).toHaveLength(7)
    expect(new Set(await runs('four.bin')).size).toBe(2)
    expect(await runs('one.txt')).toEqual([(await runs('four.bin'))[0]])

    app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 60_000 } })
    // Sparse: 10,000 parts that take no room.
    const huge = await files.make('huge.bin', 0)
    await truncate(huge.path, 83_000_000_000)
    await one.page.setInputFiles('#files', huge.path)
    await one.untilState('huge.bin', 'sending')
    // Parts finer than a pixel have no gaps; those on their way make the first pixel no more than a little darker.
    expect((await runs('huge.bin')).at(-1)).toBe((await runs('four.bin'))[1])
    expect((await runs('huge.bin')).length).toBeLessThanOrEqual(2)
    expect(one.complaints).toEqual([])
    app.cloud.faults.clear()
    await one.close()
  })
})
