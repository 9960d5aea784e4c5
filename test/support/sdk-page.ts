import { readFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { inject } from 'vitest'
import type { CorsRule } from '../../server/local-cloud/cors.ts'
import { startTestApp, type TestApp, type TestAppOptions } from './app.ts'

export interface SdkPageOptions {
  /** Content-Security-Policy of the page; by default it has none. */
  csp?: string
}

/** An origin of its own with one blank page, whose `window.partway` is the SDK. */
export interface SdkPage {
  readonly origin: string
  /** Opens the page in a new tab and waits until the SDK is there. Files are chosen with `page.setInputFiles('#files', paths)`. */
  open(browser: Browser | BrowserContext): Promise<Page>
  close(): Promise<void>
}

const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>SDK</title>
<link rel="icon" href="data:,">
<input type="file" multiple id="files">
<script type="module" src="/harness.js"></script>
`
const contentTypes: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm' }

export async function startSdkPage(options: SdkPageOptions = {}): Promise<SdkPage> {
  const bundle = inject('sdkBundle')
  const headers: Record<string, string> = options.csp ? { 'content-security-policy': options.csp } : {}
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://page').pathname
    if (path === '/') return void response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end(html)
    sendFile(join(bundle, normalize(path)), headers, response)
  })
  const origin = `http://127.0.0.1:${await listen(server)}`
  return {
    origin,
    async open(browser) {
      const page = await browser.newPage()
      await page.goto(origin)
      await page.locator('html[data-ready]').waitFor({ state: 'attached' })
      return page
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export interface BrowserAppOptions extends TestAppOptions {
  /** The origins whose pages may upload. */
  origins: readonly string[]
  /** The bucket's CORS rule: all that an upload needs, without the exposed headers, or no rule at all. Default `whole`. */
  bucketCors?: 'whole' | 'nothing-exposed' | 'none'
}

/** What a test app needs so that pages of other origins may use it. */
export function browserAppOptions({ origins, bucketCors = 'whole', ...options }: BrowserAppOptions): TestAppOptions {
  const rule: CorsRule = { allowedOrigins: origins, allowedMethods: ['PUT'], allowedHeaders: ['*'], maxAgeSeconds: 600 }
  const exposeHeaders = ['ETag', 'x-oss-hash-crc64ecma', 'x-oss-request-id', 'Date']
  const corsRules = { whole: [{ ...rule, exposeHeaders }], 'nothing-exposed': [rule], none: [] }[bucketCors]
  return {
    ...options,
    environment: { CORS_ORIGINS: origins.join(','), ...options.environment },
    cloud: { corsRules, ...options.cloud },
  }
}

/** The whole server and its cloud for pages of other origins. */
export function startBrowserApp(options: BrowserAppOptions): Promise<TestApp> {
  return startTestApp(browserAppOptions(options))
}

function sendFile(path: string, headers: Record<string, string>, response: ServerResponse): void {
  readFile(path).then(
    (bytes) => {
      const contentType = contentTypes[extname(path)] ?? 'application/octet-stream'
      // The policy goes with scripts, too: a worker's own policy comes with its script.
      response.writeHead(200, { ...headers, 'content-type': contentType, 'cache-control': 'no-store' }).end(bytes)
    },
    () => response.writeHead(404).end(),
  )
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
