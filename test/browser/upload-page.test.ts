import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { TestApp } from '../support/app.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import {
  expectClean,
  expectUploaded,
  type Files,
  holdParts,
  makeFiles,
  openUploadPage,
  type PageUnderTest,
  startPageApp,
  uploadsOf,
} from './upload-page-support.ts'

const MB = 1_000_000
/** Waiting costs nothing where it ends early; machines under load need it. */
const soon = { timeout: 20_000 }

describeInBrowser('the upload page', () => {
  let browser: Browser
  let app: TestApp
  let files: Files
  const open: PageUnderTest[] = []
  beforeAll(async () => {
    browser = await launchChromium()
    app = await startPageApp()
    files = await makeFiles()
  })
  afterEach(async () => {
    app.cloud.faults.clear()
    for (const one of open.splice(0)) await one.close()
  })
  afterAll(async () => {
    await browser.close()
    await app.close()
    await files.remove()
  })
  async function openPage(
    options: Parameters<typeof openUploadPage>[2] = {},
    on: TestApp = app,
  ): Promise<PageUnderTest> {
    const one = await openUploadPage(browser, on, options)
    open.push(one)
    return one
  }

  test('uploads several files of all sizes, every byte, with nothing forbidden done or secret shown', async () => {
    const one = await openPage()
    const sizes = { 'empty.bin': 0, 'one-byte.txt': 1, 'film.mp4': 20 * MB, '目录 é & <b>.bin': 3 * MB }
    const made = await Promise.all(Object.entries(sizes).map(([name, size]) => files.make(name, size)))
    await one.page.setInputFiles(
      '#files',
      made.map(({ path }) => path),
    )
    for (const name of Object.keys(sizes)) await one.untilState(name, 'completed')
    for (const [index, name] of Object.keys(sizes).entries()) {
      await expectUploaded(app, one.token, name, made[index]?.bytes ?? Buffer.of())
    }
    await one.page.getByText('4 of 4 files').waitFor()
    await one.page.locator('#announcer').getByText('Everything is uploaded').waitFor({ state: 'attached' })
    await expectClean(one)
  })

  test('uploads a folder with what is in its folders, under their paths', async () => {
    const one = await openPage()
    const a = await files.make('photos/a.jpg', 2 * MB)
    const b = await files.make('photos/2024/b.jpg', 10)
    await one.page.setInputFiles('#folder', join(files.dir, 'photos'))
    await one.untilState('photos/a.jpg', 'completed')
    await one.untilState('photos/2024/b.jpg', 'completed')
    await expectUploaded(app, one.token, 'photos/a.jpg', a.bytes)
    await expectUploaded(app, one.token, 'photos/2024/b.jpg', b.bytes)
    expect(await one.row('photos/2024/b.jpg').locator('.name').innerText()).toBe('b.jpg photos/2024')
    await expectClean(one)
  })

  test('uploads what is dropped on it', async () => {
    const one = await openPage()
    await one.page.evaluate(() => {
      const dropped = new DataTransfer()
      for (const name of ['x.txt', 'y.txt']) dropped.items.add(new File([`text of ${name}`], name))
      for (const type of ['dragenter', 'dragover', 'drop']) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: dropped, bubbles: true, cancelable: true }))
      }
    })
    await one.untilState('x.txt', 'completed')
    await one.untilState('y.txt', 'completed')
    await expectUploaded(app, one.token, 'y.txt', Buffer.from('text of y.txt'))
    expect(await one.page.locator('body.over').count()).toBe(0)
  })

  test('works below any path, and finds its server there', async () => {
    const mounted = await startPageApp({ beside: app, mount: { path: '/tools/uploads' } })
    try {
      const one = await openPage({}, mounted)
      const { path, bytes } = await files.make('mounted.bin', 5)
      await one.page.setInputFiles('#files', path)
      await one.untilState('mounted.bin', 'completed')
      await expectUploaded(app, one.token, 'mounted.bin', bytes)
      // The redirect keeps the link's token, although it never reaches a server.
      const bare = await one.context.newPage()
      await bare.goto(`${mounted.url}#token=${one.token}`)
      await bare.getByRole('button', { name: 'Choose files' }).waitFor()
      await expectClean(one)
    } finally {
      await mounted.close()
    }
  })

  test('pauses and resumes one file, and all of them', async () => {
    const one = await openPage()
    holdParts(app)
    const [a, b] = [await files.make('pause-a.bin', 20 * MB), await files.make('pause-b.bin', 20 * MB)]
    await one.page.setInputFiles('#files', [a.path, b.path])
    await one.untilState('pause-a.bin', 'sending')
    await one.page.getByRole('button', { name: 'Pause: pause-a.bin' }).click()
    await one.untilState('pause-a.bin', 'paused')
    await one.untilState('pause-b.bin', 'sending')
    await one.page.getByRole('button', { name: 'Pause all' }).click()
    await one.untilState('pause-b.bin', 'paused')
    await one.page.getByText('2 paused').waitFor()
    // Nothing is on its way any more, so what the cloud has counted stays.
    expect(await one.page.title()).not.toContain('%')
    app.cloud.faults.clear()
    await one.page.getByRole('button', { name: 'Resume: pause-b.bin' }).click()
    await one.untilState('pause-b.bin', 'completed')
    expect(await one.state('pause-a.bin')).toBe('paused')
    await one.page.getByRole('button', { name: 'Resume all' }).click()
    await one.untilState('pause-a.bin', 'completed')
    await expectUploaded(app, one.token, 'pause-a.bin', a.bytes)
    await expectUploaded(app, one.token, 'pause-b.bin', b.bytes)
    await expectClean(one)
  })

  test('cancels a file after asking, and its parts are deleted', async () => {
    const one = await openPage()
    holdParts(app, 1)
    await one.page.setInputFiles('#files', (await files.make('cancel.bin', 30 * MB)).path)
    await one.untilState('cancel.bin', 'sending')
    await expect
      .poll(() => one.row('cancel.bin').getByRole('progressbar').getAttribute('aria-valuenow'), soon)
      .not.toBe('0')
    const cancel = one.page.getByRole('button', { name: 'Cancel: cancel.bin' })
    await cancel.click()
    await one.page.getByText('What is stored of it so far is deleted').waitFor()
    // The keyboard is on the answer that changes nothing, and comes back from there.
    await one.page.keyboard.press('Enter')
    expect(await one.page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Cancel: cancel.bin')
    expect((await uploadsOf(app, one.token, 'uploading')).length).toBe(1)
    await cancel.click()
    await one.page.getByRole('button', { name: 'Cancel and delete' }).click()
    await one.row('cancel.bin').waitFor({ state: 'detached' })
    await expect
      .poll(async () => (await uploadsOf(app, one.token)).map(({ state }) => state), soon)
      .toEqual(['aborted'])
    expect(await one.page.locator('#queue').isHidden()).toBe(true)
    await expectClean(one)
  })

  test('after a reload lists what is unfinished, and goes on with the file given again', async () => {
    const one = await openPage()
    const held = holdParts(app, 3)
    const { path, bytes } = await files.make('reload.bin', 60 * MB)
    await one.page.setInputFiles('#files', path)
    await held.stored()
    await one.page.getByRole('button', { name: 'Pause all' }).click()
    await one.untilState('reload.bin', 'paused')

    app.cloud.faults.clear()
    await one.page.reload()
    const unfinished = one.page.locator('#unfinished .upload')
    await unfinished.getByText(/\d+% of 60\.0\sMB stored/).waitFor()
    app.cloud.requests.reset()
    await one.page.evaluate(() => {
      // As in a browser without the File System Access API.
      window.showOpenFilePicker = undefined
    })
    const chooser = one.page.waitForEvent('filechooser')
    await one.page.getByRole('button', { name: 'Choose the file again: reload.bin' }).click()
    await (await chooser).setFiles(path)
    await unfinished.waitFor({ state: 'detached' })
    await one.untilState('reload.bin', 'completed')
    await expectUploaded(app, one.token, 'reload.bin', bytes)
    expect(app.cloud.requests.count('UploadPart')).toBeLessThan(8)
    expect(await uploadsOf(app, one.token)).toHaveLength(1)
    await expectClean(one)
  })

  test('tells a file of another size from the one it needs, and discards what nobody wants', async () => {
    const one = await openPage()
    holdParts(app)
    await one.page.setInputFiles('#files', (await files.make('wanted.bin', 20 * MB)).path)
    await one.untilState('wanted.bin', 'sending')
    await one.page.reload()
    await one.page.evaluate(() => {
      window.showOpenFilePicker = undefined
    })
    const chooser = one.page.waitForEvent('filechooser')
    await one.page.getByRole('button', { name: 'Choose the file again: wanted.bin' }).click()
    await (await chooser).setFiles((await files.make('other.bin', 5)).path)
    await one.page.getByText('That is another file: other.bin has 5 B').waitFor()
    expect(await one.page.locator('#queue').isHidden()).toBe(true)
    await one.page.getByRole('button', { name: 'Discard: wanted.bin' }).click()
    await one.page.getByRole('button', { name: 'Discard', exact: true }).click()
    await one.page.locator('#unfinished').waitFor({ state: 'hidden' })
    await expect
      .poll(async () => (await uploadsOf(app, one.token)).map(({ state }) => state), soon)
      .toEqual(['aborted'])
    await expectClean(one)
  })

  test('goes on by one click where the browser kept a way to the file', async () => {
    const one = await openPage()
    const held = holdParts(app, 2)
    // The private file system gives handles like those of the dialog, which no test can click through.
    const pickHere = async () => {
      const root = await navigator.storage.getDirectory()
      const handle = await root.getFileHandle('kept.bin', { create: true })
      window.showOpenFilePicker = async () => [handle]
      return handle
    }
    await one.page.evaluate(`(${pickHere})().then(async (handle) => {
      const writer = await handle.createWritable()
      await writer.write(new Uint8Array(60_000_000).map((_, index) => (index * 2654435761) >>> 13))
      await writer.close()
    })`)
    await one.page.getByRole('button', { name: 'Choose files' }).click()
    await held.stored()
    await one.page.getByRole('button', { name: 'Pause all' }).click()
    await one.untilState('kept.bin', 'paused')
    app.cloud.faults.clear()
    await one.page.reload()
    await one.page.getByRole('button', { name: 'Continue: kept.bin' }).click()
    await one.untilState('kept.bin', 'completed')
    expect(await uploadsOf(app, one.token)).toHaveLength(1)
    // What is finished is kept no longer.
    const keptIds = () =>
      one.page.evaluate(
        () =>
          new Promise((resolve) => {
            const opening = indexedDB.open('partway-page')
            opening.onsuccess = () => {
              const asked = opening.result.transaction('files').objectStore('files').getAllKeys()
              asked.onsuccess = () => resolve(asked.result)
            }
          }),
      )
    await expect.poll(keptIds, soon).toEqual([])
    await expectClean(one)
  })

  test('says that another tab sends a file, shows its progress, and takes over when that tab closes', async () => {
    const first = await openPage()
    // Slow and not held: the first tab tells of its progress when there is some.
    app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 1500 } })
    const { path, bytes } = await files.make('tabs.bin', 200 * MB)
    await first.page.setInputFiles('#files', path)
    await first.untilState('tabs.bin', 'sending')
    const second = await openPage({ beside: first })
    await second.page.setInputFiles('#files', path)
    await second.untilState('tabs.bin', 'waiting')
    await expect
      .poll(() => second.row('tabs.bin').locator('.state').innerText(), soon)
      .toMatch(/^Another tab sends this file · \d+% of 200\sMB/)
    app.cloud.faults.clear()
    await first.page.close()
    await second.untilState('tabs.bin', 'completed')
    await expectUploaded(app, first.token, 'tabs.bin', bytes)
    expect(await uploadsOf(app, first.token)).toHaveLength(1)
    await expectClean(second)
  })

  test('says of a file that is added twice that it is being sent already, and ends with one object', async () => {
    const one = await openPage()
    holdParts(app)
    const { path, bytes } = await files.make('twice.bin', 20 * MB)
    await one.page.setInputFiles('#files', path)
    await one.untilState('twice.bin', 'sending')
    await one.page.setInputFiles('#files', path)
    await one.page.getByText('The same file is being sent already').waitFor()
    app.cloud.faults.clear()
    // What is held is dropped.
    await one.page.getByRole('button', { name: 'Pause all' }).click()
    await one.page.getByText('2 paused').waitFor()
    await one.page.getByRole('button', { name: 'Resume all' }).click()
    await one.page.getByText('2 of 2 files').waitFor()
    await expectUploaded(app, one.token, 'twice.bin', bytes)
    expect(await uploadsOf(app, one.token)).toHaveLength(1)
  })

  test('lists a cancelled upload as unfinished where the server could not be told', async () => {
    const one = await openPage()
    holdParts(app)
    await one.page.setInputFiles('#files', (await files.make('untold.bin', 60 * MB)).path)
    await one.untilState('untold.bin', 'sending')
    await one.page.route(`${app.url}/v1/uploads/*`, (route) =>
      route.request().method() === 'DELETE' ? route.abort('connectionrefused') : route.continue(),
    )
    await expect.poll(() => one.row('untold.bin').locator('.state').innerText(), soon).toMatch(/% of/)
    await one.page.getByRole('button', { name: 'Cancel: untold.bin' }).click()
    await one.page.getByRole('button', { name: 'Cancel and delete' }).click()
    await one.page.getByRole('button', { name: 'Discard: untold.bin' }).waitFor()
    await one.page.unroute(`${app.url}/v1/uploads/*`)
    await one.page.getByRole('button', { name: 'Discard: untold.bin' }).click()
    await one.page.getByRole('button', { name: 'Discard', exact: true }).click()
    await one.page.locator('#unfinished').waitFor({ state: 'hidden' })
  })

  test('warns before it is left only while something is being sent', async () => {
    const one = await openPage()
    const dialogs: string[] = []
    one.page.on('dialog', (dialog) => {
      dialogs.push(dialog.type())
      void dialog.accept()
    })
    const { path } = await files.make('leave.bin', 20 * MB)
    holdParts(app)
    await one.page.setInputFiles('#files', path)
    await one.untilState('leave.bin', 'sending')
    // Browsers ask only about pages the user has touched.
    await one.page.getByRole('button', { name: 'Pause all' }).click()
    await one.untilState('leave.bin', 'paused')
    await expect.poll(() => one.page.title(), soon).not.toContain('%')
    await one.page.reload()
    expect(dialogs).toEqual([])
    await one.page.setInputFiles('#files', path)
    await one.untilState('leave.bin', 'sending')
    await expect
      .poll(async () => {
        await one.page.mouse.click(5, 5)
        return one.page.evaluate(() => navigator.userActivation.hasBeenActive)
      }, soon)
      .toBe(true)
    await one.page.reload()
    expect(dialogs).toEqual(['beforeunload'])
  })
})
