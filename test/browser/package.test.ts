import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import express from 'express'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen } from '../../server/http/http-server.ts'
import type { TestApp } from '../support/app.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { startBrowserApp } from '../support/sdk-page.ts'

const run = promisify(execFile)
const sdk = join(import.meta.dirname, '../../client-sdk')

describeInBrowser('the packed package, on a page without a bundler', () => {
  let directory: string
  let browser: Browser
  let pages: Awaited<ReturnType<typeof listen>>
  let origin: string
  let app: TestApp
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'partway-package-'))
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', directory], { cwd: sdk })
    await run('tar', ['-xzf', join(directory, JSON.parse(stdout)[0].filename), '-C', directory])
    browser = await launchChromium()
    const site = express().get('/', ({ query }, response) => {
      const script = `import * as partway from '/package/${query.module}'; window.partway = partway`
      response
        .type('html')
        .send(`<!doctype html><link rel="icon" href="data:,"><script type="module">${script}</script>`)
    })
    pages = await listen(site.use('/package', express.static(join(directory, 'package'))), '127.0.0.1', 0)
    origin = `http://127.0.0.1:${pages.port}`
    app = await startBrowserApp({ origins: [origin] })
  })
  afterAll(async () => {
    await browser.close()
    await pages.close(0)
    await app.close()
    await rm(directory, { recursive: true, force: true })
  })

  test.each([
    ['as one file, whose worker is a part of it', 'dist/partway-client.js', /^blob:/],
    ['as the modules it consists of', 'dist/browser/index.js', /[/]package[/]dist[/]browser[/]hash-worker[.]js$/],
  ])('uploads %s', async (_, module, workerUrl) => {
    const page = await browser.newPage()
    const problems: string[] = []
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    await page.goto(`${origin}?module=${module}`)
    await page.waitForFunction(() => 'partway' in window)
    const worker = page.waitForEvent('worker')
    const uploading = page.evaluate(
      async ({ baseUrl, token }) => {
        const bytes = new Uint8Array(3_000_000).map((_, index) => index % 251)
        const client = window.partway.createUploadClient({ baseUrl, token: () => token })
        const { id, sizeBytes, sentBytes } = await client.upload(new Blob([bytes]), { partSizeBytes: 1_048_576 }).done
        return { state: (await client.getUpload(id)).upload.state, sizeBytes, sentBytes }
      },
      { baseUrl: app.url, token: app.token() },
    )
    expect(await uploading).toEqual({ state: 'completed', sizeBytes: 3_000_000, sentBytes: 3_000_000 })
    expect((await worker).url()).toMatch(workerUrl)
    expect(problems).toEqual([])
    await page.close()
  })
})
