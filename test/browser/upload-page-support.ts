import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Upload } from '@partway/client/contract'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import type { CorsRule } from '../../server/local-cloud/cors.ts'
import { createApi } from '../support/api.ts'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts'
import { readObject } from '../support/objects.ts'
import { watch } from '../support/secret-watch.ts'
import { watchPage } from '../support/watched-page.ts'

/** The bucket's rule for pages of a test server, whose port nobody knows before it listens. */
export const pageRule: CorsRule = {
  allowedOrigins: ['http://127.0.0.1:*'],
  allowedMethods: ['PUT'],
  allowedHeaders: ['*'],
  exposeHeaders: ['ETag', 'x-oss-hash-crc64ecma', 'x-oss-request-id', 'Date'],
}

/** A server with the built upload page, and a bucket that takes uploads from it. */
export async function startPageApp(options: TestAppOptions = {}): Promise<TestApp> {
  if (!existsSync(new URL('../../dist/server/web/upload/index.html', import.meta.url))) {
    throw new Error('the upload page is not built: npm run build')
  }
  return startTestApp({ ...options, cloud: { corsRules: [pageRule], ...options.cloud } })
}

/**
 * Lets so many parts pass and holds all others for longer than any test takes, so that an upload stays where it is; `stored()` waits
 * for those. Parts that are held stay so when the faults are cleared; pausing or leaving the page drops them.
 */
export function holdParts(app: TestApp, passing = 0): { stored(): Promise<void> } {
  const before = app.cloud.requests.countAnswered('UploadPart', 200)
  app.cloud.faults.add({ match: { verb: 'UploadPart' }, after: passing, effect: { kind: 'delay', delayMs: 120_000 } })
  return {
    stored: () =>
      expect
        .poll(() => app.cloud.requests.countAnswered('UploadPart', 200) - before, { timeout: 30_000 })
        .toBeGreaterThanOrEqual(passing),
  }
}

/** Real files of random bytes below one folder. */
export interface Files {
  dir: string
  /** Makes a file and returns its path; `name` may have folders. */
  make(name: string, sizeBytes: number): Promise<{ path: string; bytes: Buffer }>
  remove(): Promise<void>
}

export async function makeFiles(): Promise<Files> {
  const dir = await mkdtemp(join(tmpdir(), 'partway-page-'))
  return {
    dir,
    async make(name, sizeBytes) {
      const path = join(dir, name)
      const bytes = randomBytes(sizeBytes)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, bytes)
      return { path, bytes }
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  }
}

/** A tab with the upload page, in a browser profile of its own, whose complaints are written down. */
export interface PageUnderTest {
  page: Page
  context: BrowserContext
  token: string
  /** Errors of scripts and violations of the page's policy. */
  complaints: string[]
  /** All that was written to the console. */
  consoleLines: string[]
  row(fileName: string): Locator
  state(fileName: string): Promise<string | null>
  /** Waits until the file's row shows this state. */
  untilState(fileName: string, state: string): Promise<void>
  close(): Promise<void>
}

let lastSubject = 0

/** Opens the page signed in by link, as a user nobody else is, or with `hash: ''` not signed in. */
export async function openUploadPage(
  browser: Browser,
  app: TestApp,
  options: Parameters<Browser['newContext']>[0] & { token?: string; hash?: string; beside?: PageUnderTest } = {},
): Promise<PageUnderTest> {
  const {
    token = options.beside?.token ?? app.token({ subject: `page-${++lastSubject}` }),
    hash,
    beside,
    ...rest
  } = options
  const context = beside?.context ?? (await browser.newContext(rest))
  const page = await context.newPage()
  const complaints: string[] = []
  const consoleLines: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error.stack)))
  page.on('console', (message) => {
    // Chromium writes lines of its own, with the URL, for answers that are errors or that it hides, and for what a policy forbids (told
    // by the listener below), whatever the page makes of them.
    const isOfBrowser = /^Failed to load resource|blocked by CORS policy|violates the following Content Security Policy/
    if (isOfBrowser.test(message.text())) return
    consoleLines.push(message.text())
    if (message.type() === 'error') complaints.push(message.text())
  })
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      const [address] = event.blockedURI.split('?')
      console.error(`the policy forbids ${event.effectiveDirective} ${address}`)
    })
  })
  await page.goto(`${app.url}/${hash ?? `#token=${token}`}`)
  const row = (fileName: string) =>
    page.locator('#queue .upload').filter({ has: page.getByRole('progressbar', { name: fileName, exact: true }) })
  const state = (fileName: string) => row(fileName).getAttribute('data-state')
  return {
    page,
    context,
    token,
    complaints,
    consoleLines,
    row,
    state,
    untilState: (fileName, wanted) =>
      row(fileName)
        .and(page.locator(`[data-state="${wanted}"]`))
        .waitFor(),
    async close() {
      await watchPage(page)
      watch('the console of the page', consoleLines.join('\n'))
      await (beside ? page.close() : context.close())
    },
  }
}

/** The page did nothing it may not, and kept every secret: token (but in a link) and signed URLs are nowhere to be read. */
export async function expectClean({ page, token, complaints, consoleLines }: PageUnderTest): Promise<void> {
  expect(complaints).toEqual([])
  const seen = await page.evaluate(() => ({
    html: document.documentElement.outerHTML,
    values: Array.from(document.querySelectorAll('input'), ({ type, value }) => (type === 'file' ? '' : value)),
    storage: JSON.stringify({ ...localStorage, ...sessionStorage }),
  }))
  const readable = JSON.stringify([seen, consoleLines])
  expect(readable).not.toContain(token)
  expect(readable).not.toMatch(/x-oss-(signature|credential|security-token)=/i)
}

/** The user's uploads as the server knows them. */
export async function uploadsOf(app: TestApp, token: string, state?: Upload['state']): Promise<Upload[]> {
  const api = createApi(app.url, token)
  const uploads: Upload[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const query: Record<string, string> = { limit: '100', ...(state ? { state } : {}), ...(cursor ? { cursor } : {}) }
    const reply = await api('listUploads', { query })
    expect(reply.status).toBe(200)
    uploads.push(...reply.body.uploads)
    cursor = reply.body.nextCursor
  }
  return uploads
}

/** Expects exactly one completed upload of this name, with exactly these bytes. */
export async function expectUploaded(app: TestApp, token: string, fileName: string, bytes: Buffer): Promise<Upload> {
  const found = (await uploadsOf(app, token, 'completed')).filter((upload) => upload.fileName === fileName)
  expect(found).toHaveLength(1)
  const [upload] = found
  if (!upload) throw new Error('unreachable')
  expect(Buffer.compare(await readObject(app.cloud, upload.key), bytes)).toBe(0)
  return upload
}
