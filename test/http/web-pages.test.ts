import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ossUrl } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../server/config.ts'
import { partOriginOf } from '../../server/part-origin.ts'
import { createApi, createFor, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts'
import { expectProblem } from '../support/problems.ts'

const script = `console.log(${JSON.stringify('long enough to be worth compressing '.repeat(60))})\n`
let app: TestApp
let pagesDirectory: string
beforeAll(async () => {
  pagesDirectory = await mkdtemp(join(tmpdir(), 'partway-pages-'))
  for (const page of ['upload', 'admin']) {
    const directory = join(pagesDirectory, page)
    await mkdir(join(directory, 'assets'), { recursive: true })
    await writeFile(join(directory, 'index.html'), '<!doctype html><meta name="partway-sign-in" content="%SIGN_IN%">')
    await writeFile(join(directory, 'assets', 'index-abc.js'), script)
    await writeFile(join(directory, 'assets', 'index-abc.css'), 'body { margin: 0 }')
    await writeFile(join(directory, 'assets', 'notes.txt'), 'not for anybody')
  }
  app = await startTestApp({ pagesDirectory })
})
afterAll(async () => {
  await app.close()
  await rm(pagesDirectory, { recursive: true, force: true })
})

async function withApp(options: TestAppOptions, use: (other: TestApp) => Promise<void>): Promise<void> {
  const other = await startTestApp({ beside: app, pagesDirectory, ...options })
  try {
    await use(other)
  } finally {
    await other.close()
  }
}
const signIn = (html: string) => /content="([^"]*)"/.exec(html)?.[1]

describe('the upload page', () => {
  test('is at /, never kept by anybody, and signs in by link in local mode', async () => {
    const response = await fetch(`${app.url}/`)
    expect([response.status, response.headers.get('content-type'), response.headers.get('cache-control')]).toEqual([
      200,
      'text/html; charset=utf-8',
      'no-store',
    ])
    expect(signIn(await response.text())).toBe('link')
  })

  test('asks for a token where the bucket is a real one', async () => {
    await withApp({ config: (config) => ({ ...config, localCloud: null }) }, async (live) => {
      expect(signIn(await (await fetch(`${live.url}/`)).text())).toBe('form')
    })
  })

  test('may run its own files, and reach this server and OSS where part URLs lead, nothing else', async () => {
    const api = createApi(app.url, app.token())
    const upload = await createFor(api, someBytes(5))
    const { body } = await api('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })
    const policy = (await fetch(`${app.url}/`)).headers.get('content-security-policy')?.split(';') ?? []
    expect(policy).toContain(`connect-src 'self' ${new URL(body.grants[0].url).origin}`)
    expect(policy).toEqual(
      expect.arrayContaining(["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "frame-ancestors 'none'"]),
    )
    expect(policy.join()).not.toMatch(/unsafe-inline|'unsafe-eval'|\*|http:(?!\/\/127)/)
  })

  test('leaves the policy of the documentation as it was', async () => {
    const policy = (await fetch(`${app.url}/docs`)).headers.get('content-security-policy')
    expect(policy).not.toContain('script-src')
    expect(policy).not.toContain('connect-src')
  })

  test.each(['/', '/assets/index-abc.js'])('%s answers HEAD like GET, without the body', async (path) => {
    const [got, head] = [await fetch(app.url + path), await fetch(app.url + path, { method: 'HEAD' })]
    expect([head.status, await head.text()]).toEqual([200, ''])
    for (const name of ['content-type', 'cache-control', 'content-security-policy']) {
      expect(head.headers.get(name)).toBe(got.headers.get(name))
    }
  })

  test.each(['/', '/assets/index-abc.js'])('%s is only to be read', async (path) => {
    const response = await fetch(app.url + path, { method: 'POST' })
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
    await expectProblem(response, 'method-not-allowed')
  })
})

describe('what the page loads', () => {
  test.each([
    ['index-abc.js', 'text/javascript; charset=utf-8'],
    ['index-abc.css', 'text/css; charset=utf-8'],
  ])('%s has its type, and is kept for ever: its name changes with its content', async (name, contentType) => {
    const response = await fetch(`${app.url}/assets/${name}`)
    expect([response.status, response.headers.get('content-type'), response.headers.get('cache-control')]).toEqual([
      200,
      contentType,
      'public, max-age=31536000, immutable',
    ])
    // A worker's policy comes with its script.
    expect(response.headers.get('content-security-policy')).toContain("'wasm-unsafe-eval'")
  })

  test('goes compressed to those who take it', async () => {
    const ask = (encoding: string) =>
      fetch(`${app.url}/assets/index-abc.js`, { headers: { 'accept-encoding': encoding } })
    const [packed, plain] = [await ask('gzip, br'), await ask('identity')]
    expect([packed.headers.get('content-encoding'), plain.headers.get('content-encoding')]).toEqual(['gzip', null])
    expect(Number(packed.headers.get('content-length'))).toBeLessThan(script.length / 5)
    expect([await packed.text(), await plain.text()]).toEqual([script, script])
    expect(packed.headers.get('vary')).toContain('Accept-Encoding')
  })

  test.each(['gone.js', 'notes.txt', '..%2Findex.html', '%2e%2e%2findex.html', 'index-abc.js/', ''])(
    'is nothing that was not built: assets/%s',
    async (name) => {
      await expectProblem(await fetch(`${app.url}/assets/${name}`), 'not-found')
    },
  )
})

describe('a server without the page', () => {
  test('is one with WEB_PAGES=false', async () => {
    await withApp({ environment: { WEB_PAGES: 'false' } }, async (bare) => {
      for (const path of ['/', '/assets/index-abc.js']) {
        await expectProblem(await fetch(bare.url + path), 'not-found')
      }
      expect((await fetch(`${bare.url}/docs`)).status).toBe(200)
    })
  })

  test('says how to get it when it was not built, and serves all else', async () => {
    await withApp({ pagesDirectory: join(pagesDirectory, 'missing') }, async (unbuilt) => {
      const problem = await expectProblem(await fetch(`${unbuilt.url}/`), 'not-found')
      expect(problem.detail).toContain('npm run build')
      expect((await fetch(`${unbuilt.url}/v1/time`)).status).toBe(200)
    })
  })
})

describe('below a path of another app', () => {
  test('the page is at that path with a slash, which is added by a relative redirect', async () => {
    await withApp({ mount: { path: '/files/uploads' } }, async (mounted) => {
      for (const query of ['', '?from=mail']) {
        const response = await fetch(`${mounted.url}${query}`, { redirect: 'manual' })
        expect([response.status, response.headers.get('location')]).toEqual([308, `./uploads/${query}`])
        const page = await fetch(`${mounted.url}${query}`)
        expect([page.status, page.url]).toEqual([200, `${mounted.url}/${query}`])
      }
      expect((await fetch(new URL('assets/index-abc.js', `${mounted.url}/`))).status).toBe(200)
    })
  })
})

describe('the origin that pages may reach', () => {
  const live = (variables: Record<string, string>) =>
    loadConfig({ OSS_BUCKET: 'my-bucket', JWT_SECRET: 'secret', DATABASE_URL: 'postgres://db/x', ...variables }).oss
  test.each([
    [{}, 'https://my-bucket.oss-cn-hangzhou.aliyuncs.com'],
    [{ OSS_PUBLIC_ENDPOINT: 'https://oss-accelerate.aliyuncs.com' }, 'https://my-bucket.oss-accelerate.aliyuncs.com'],
    [{ OSS_PUBLIC_ENDPOINT: 'https://cdn.example.com' }, 'https://cdn.example.com'],
    [{ OSS_PUBLIC_ENDPOINT: 'http://192.0.2.1:8080' }, 'http://192.0.2.1:8080'],
    [
      { OSS_ENDPOINT: 'https://oss-cn-hangzhou-internal.aliyuncs.com' },
      'https://my-bucket.oss-cn-hangzhou.aliyuncs.com',
    ],
  ])('follows the public endpoint and its addressing: %o', (variables, origin) => {
    const oss = live(variables)
    const target = { baseUrl: oss.publicEndpoint, addressing: oss.publicAddressing, bucket: oss.bucket, key: 'a/b' }
    expect(partOriginOf(oss)).toBe(origin)
    expect(new URL(ossUrl(target)).origin).toBe(origin)
  })
})

describe('the admin page', () => {
  test('is at /admin/, never kept by anybody, and signs in by link in local mode', async () => {
    const response = await fetch(`${app.url}/admin/`)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(signIn(await response.text())).toBe('link')
    await withApp({ config: (config) => ({ ...config, localCloud: null }) }, async (live) => {
      expect(signIn(await (await fetch(`${live.url}/admin/`)).text())).toBe('form')
    })
  })

  test.each(['/admin/', '/admin/assets/index-abc.js'])('%s may run and reach this server alone', async (path) => {
    const response = await fetch(app.url + path)
    expect(response.headers.get('content-security-policy')?.split(';')).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ])
  })

  test('loads files of its own, which are kept for ever', async () => {
    const response = await fetch(`${app.url}/admin/assets/index-abc.js`)
    expect([response.status, response.headers.get('cache-control')]).toEqual([
      200,
      'public, max-age=31536000, immutable',
    ])
    await expectProblem(await fetch(`${app.url}/admin/assets/gone.js`), 'not-found')
    await expectProblem(await fetch(`${app.url}/admin/index.html`), 'not-found')
  })

  test.each(['/admin', '/admin/', '/admin/assets/index-abc.js'])('%s is only to be read', async (path) => {
    const response = await fetch(app.url + path, { method: 'POST' })
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
    await expectProblem(response, 'method-not-allowed')
  })

  test('gets its slash by a relative redirect, at any path of another app', async () => {
    for (const path of ['', '/files/uploads']) {
      await withApp(path === '' ? {} : { mount: { path } }, async (mounted) => {
        const response = await fetch(`${mounted.url}/admin?from=mail`, { redirect: 'manual' })
        expect([response.status, response.headers.get('location')]).toEqual([308, './admin/?from=mail'])
        const page = await fetch(`${mounted.url}/admin`)
        expect([page.status, page.url]).toEqual([200, `${mounted.url}/admin/`])
      })
    }
  })

  test('is hidden by WEB_PAGES=false', async () => {
    await withApp({ environment: { WEB_PAGES: 'false' } }, async (bare) => {
      for (const path of ['/admin', '/admin/', '/admin/assets/index-abc.js']) {
        await expectProblem(await fetch(bare.url + path), 'not-found')
      }
    })
  })
})
