import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestApp } from '../support/app.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { assertNoLeak, protect } from '../support/secret-watch.ts'
import { watchPage } from '../support/watched-page.ts'
import { type Files, holdParts, makeFiles, openUploadPage, startPageApp } from './upload-page-support.ts'

/* Each upload page of these tests is looked through when it is closed. Here: that something would be found, and a page in mid-upload. */

const canary = 'cAnArY-0123456789-cAnArY'
protect(canary)

describeInBrowser('what the upload page shows and keeps', () => {
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

  test.each(['document', 'localStorage', 'sessionStorage', 'indexedDB', 'console'])(
    'is looked through: a secret in its %s would be found',
    async (place) => {
      const one = await openUploadPage(browser, app)
      await one.page.evaluate(
        async ({ place, canary }) => {
          if (place === 'document') document.body.dataset.kept = canary
          if (place === 'localStorage') localStorage.setItem('kept', canary)
          if (place === 'sessionStorage') sessionStorage.setItem('kept', canary)
          if (place === 'console') console.log(canary)
          if (place !== 'indexedDB') return
          await new Promise((resolve, reject) => {
            const opening = indexedDB.open('kept', 1)
            opening.onupgradeneeded = () => opening.result.createObjectStore('kept').add({ deep: [canary] }, 1)
            opening.onsuccess = () => resolve(opening.result.close())
            opening.onerror = () => reject(opening.error)
          })
        },
        { place, canary },
      )
      await one.close()
      expect(assertNoLeak).toThrow(/configured in the (page|console)/)
    },
  )

  test('holds no secret in mid-upload, after a refusal by OSS, and after a reload', async () => {
    const { path } = await files.make('film.bin', 20_000_000)
    const hold = holdParts(app, 1)
    const one = await openUploadPage(browser, app)
    await one.page.setInputFiles('input[type=file]', path)
    await hold.stored()
    await watchPage(one.page)
    app.cloud.faults.clear()
    app.cloud.faults.add({
      match: { verb: 'UploadPart' },
      effect: { kind: 'answer', status: 403, code: 'AccessDenied' },
    })
    await one.page.reload()
    await one.page.setInputFiles('input[type=file]', path)
    await one.untilState('film.bin', 'failed')
    await one.close()
    app.cloud.faults.clear()
    assertNoLeak()
  })
})
