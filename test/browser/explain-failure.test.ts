import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MiB, type UploadBench } from '../sdk/upload-bench.ts'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { startSdkPage } from '../support/sdk-page.ts'
import { type FrontBenchOptions, startFrontBench } from './front-bench.ts'

interface Places {
  server: string
  oss: string
  /** Of the page. */
  origin: string
}

interface Failure {
  code: string
  message: string
  afterMs: number
}

describeInBrowser('what a browser hides is explained in words', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  /** Uploads a file where something is set up wrongly, and tells what the user is told. */
  async function failWith(
    options: FrontBenchOptions,
    check: (failure: Failure, places: Places, bench: UploadBench) => void,
  ) {
    const { sdkPage, bench, server, oss, close } = await startFrontBench(options)
    const page = await sdkPage.open(browser)
    const asked: string[] = []
    oss.answer = ({ method, url }) => {
      if (method === 'HEAD' || url?.includes('partway-asks')) asked.push(`${method} ${url}`)
      return undefined
    }
    try {
      await page.setInputFiles('#files', await bench.file(3 * MiB))
      const failure = await page.evaluate(upload, { baseUrl: server.url, token: bench.app.token() })
      expect(failure.message).not.toMatch(/x-oss|signature|Bearer|uploadId/i)
      // What may have been logged on the way is of no use to anybody.
      expect(asked.filter((request) => /x-oss|signature|token/i.test(request))).toEqual([])
      check(failure, { server: server.url, oss: oss.url, origin: sdkPage.origin }, bench)
    } finally {
      await page.close()
      await close()
    }
  }

  test('a bucket without a CORS rule, within seconds, and asking changes nothing', async () => {
    await failWith({ bucketCors: 'none' }, ({ code, message, afterMs }, { oss, origin }, bench) => {
      expect(code).toBe('cors-blocked')
      expect(message).toContain(`AllowedOrigin ${origin}, AllowedMethod PUT and AllowedHeader *`)
      expect(message).toContain(oss)
      expect(afterMs).toBeLessThan(30_000)
      // What the page was not allowed to send never came.
      expect(bench.app.cloud.requests.count('UploadPart')).toBe(0)
      expect(bench.app.cloud.requests.count('PutObject')).toBe(0)
    })
  })

  test('a CORS rule for another origin', async () => {
    const cloud = {
      corsRules: [{ allowedOrigins: ['https://a.example'], allowedMethods: ['PUT'], allowedHeaders: ['*'] }],
    }
    await failWith({ cloud }, ({ code, message }, { origin }) => {
      expect(code).toBe('cors-blocked')
      expect(message).toContain(`does not allow PUT from ${origin}`)
    })
  })

  test('a CORS rule that allows no header', async () => {
    const cloud = { corsRules: [{ allowedOrigins: ['*'], allowedMethods: ['PUT'] }] }
    await failWith({ cloud }, ({ code, message }, _places, bench) => {
      expect(code).toBe('cors-blocked')
      expect(message).toContain('does not allow the header Content-MD5: set AllowedHeader to *')
      // Unsigned, for an upload that is none: refused.
      expect(bench.app.cloud.requests.countAnswered('UploadPart', 403)).toBe(
        bench.app.cloud.requests.count('UploadPart'),
      )
      expect(bench.app.cloud.requests.count('UploadPart')).toBe(1)
    })
  })

  test('a server that does not know the page', async () => {
    await failWith({ origins: ['https://a.example'] }, ({ code, message, afterMs }, { server, origin }) => {
      expect(code).toBe('cors-blocked')
      expect(message).toBe(
        `The server at ${server} does not answer pages of ${origin}: add that origin to its CORS_ORIGINS`,
      )
      expect(afterMs).toBeLessThan(30_000)
    })
  })

  const scripts = "default-src 'none'; script-src 'self'; worker-src 'self'"

  test('a Content-Security-Policy of the page without the bucket', async () => {
    const csp = ({ server }: { server: string }) => `${scripts}; connect-src ${server}`
    await failWith({ csp }, ({ code, message, afterMs }, { oss }) => {
      expect(code).toBe('csp-blocked')
      expect(message).toContain(`add ${oss} to its connect-src`)
      expect(afterMs).toBeLessThan(5000)
    })
  })

  test('a Content-Security-Policy of the page without the server', async () => {
    const csp = ({ oss }: { oss: string }) => `${scripts}; connect-src ${oss}`
    await failWith({ csp }, ({ code, message, afterMs }, { server }) => {
      expect(code).toBe('csp-blocked')
      expect(message).toContain(`add ${server} to its connect-src`)
      expect(afterMs).toBeLessThan(5000)
    })
  })

  test('but not a server that is not there', async () => {
    const sdkPage = await startSdkPage()
    const page = await sdkPage.open(browser)
    const failure = await page.evaluate(async () => {
      const client = window.partway.createUploadClient({
        baseUrl: 'http://127.0.0.1:9',
        token: () => 'a',
        retry: { budgetMs: 2000, capMs: 200 },
      })
      return client.upload(new Blob(['x'])).done.catch((error) => ({ code: error.code, message: error.message }))
    })
    expect(failure).toMatchObject({ code: 'network' })
    await page.close()
    await sdkPage.close()
  })
})

/** Runs in the page. */
async function upload({ baseUrl, token }: { baseUrl: string; token: string }) {
  const [file] = document.querySelector<HTMLInputElement>('#files')?.files ?? []
  const client = window.partway.createUploadClient({ baseUrl, token: () => token })
  const startedAtMs = performance.now()
  try {
    await client.upload(file as File, { partSizeBytes: 1_048_576 }).done
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return { code, message, afterMs: performance.now() - startedAtMs }
  }
  throw new Error('the upload was not stopped')
}
