import { networkInterfaces } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../server/app.ts'
import type { Deps } from '../../server/deps.ts'
import { listen } from '../../server/http/http-server.ts'
import { Problem } from '../../server/problem.ts'
import { createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ environment: { METRICS_TOKEN: undefined } })
})
afterAll(() => app.close())

/** An app beside `app` in which some dependencies behave as told. */
const startWith = (deps: Partial<Pick<Deps, 'db' | 'objects'>>, isDraining?: () => boolean) =>
  startTestApp({ beside: app, deps, ...(isDraining ? { isDraining } : {}) })
const keepOpen = { close: async () => {} }

describe('/healthz', () => {
  test('answers while the process lives, whatever is down', async () => {
    const down = async () => Promise.reject(new Problem('storage-unavailable'))
    const broken = await startWith({ objects: { ...app.deps.objects, ...keepOpen, ping: down } })
    try {
      const response = await fetch(`${broken.url}/healthz`)
      expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }])
      expect(response.headers.get('cache-control')).toBe('no-store')
    } finally {
      await broken.close()
    }
  })
})

describe('/readyz', () => {
  test('says that the server can serve', async () => {
    const response = await fetch(`${app.url}/readyz`)
    expect([response.status, await response.json()]).toEqual([
      200,
      { status: 'ready', checks: { database: 'ok', storage: 'ok' } },
    ])
  })

  test.each([
    ['database', 'database-unavailable', { database: 'down', storage: 'ok' }],
    ['storage', 'storage-unavailable', { database: 'ok', storage: 'down' }],
  ] as const)('names %s when it is down, and no address or secret', async (which, code, checks) => {
    const ping = async () =>
      Promise.reject(Object.assign(new Error('connect ECONNREFUSED 10.1.2.3'), { code: 'ECONNREFUSED' }))
    const broken = await startWith(
      which === 'database'
        ? { db: { ...app.deps.db, ...keepOpen, ping } }
        : { objects: { ...app.deps.objects, ...keepOpen, ping } },
    )
    try {
      const response = await fetch(`${broken.url}/readyz`)
      const body = await response.json()
      expect([response.status, response.headers.get('content-type')]).toEqual([
        503,
        'application/problem+json; charset=utf-8',
      ])
      expect(body).toMatchObject({ code, status: 503, checks })
      expect(JSON.stringify(body)).not.toContain('10.1.2.3')
    } finally {
      await broken.close()
    }
  })

  test('does not wait for a dependency that hangs', async () => {
    const broken = await startWith({ objects: { ...app.deps.objects, ...keepOpen, ping: () => new Promise(() => {}) } })
    try {
      const response = await fetch(`${broken.url}/readyz`)
      expect([response.status, (await response.json()).checks]).toEqual([503, { database: 'ok', storage: 'down' }])
    } finally {
      await broken.close()
    }
  })

  test('asks once for many callers', async () => {
    let pings = 0
    const ping = async () => {
      pings++
    }
    const counted = await startWith({ objects: { ...app.deps.objects, ...keepOpen, ping } })
    try {
      await Promise.all(Array.from({ length: 50 }, () => fetch(`${counted.url}/readyz`)))
      // One answer is shared for a second; on a slow machine fifty calls may take a little longer than one.
      expect(pings).toBeLessThan(10)
    } finally {
      await counted.close()
    }
  })

  test('says no while the server shuts down', async () => {
    const draining = await startWith({}, () => true)
    try {
      const response = await fetch(`${draining.url}/readyz`)
      expect([response.status, (await response.json()).status]).toEqual([503, 'stopping'])
      expect((await fetch(`${draining.url}/healthz`)).status).toBe(200)
    } finally {
      await draining.close()
    }
  })
})

describe('/metrics', () => {
  const scrape = async (url: string) => (await fetch(`${url}/metrics`)).text()

  test('counts an upload from create to complete, and names endpoints, never paths', async () => {
    const counted = await startTestApp({ beside: app })
    try {
      const api = createApi(counted.url, counted.token())
      const bytes = someBytes(2 * MiB + 1)
      const upload = await createFor(api, bytes)
      await sendParts(api, upload, bytes)
      expect((await api('completeUpload', { id: upload.id, body: {} })).status).toBe(200)
      const other = await createFor(api, bytes)
      expect((await api('abortUpload', { id: other.id })).status).toBe(200)
      await fetch(`${counted.url}/some/path/of/a/scanner`)

      const text = await scrape(counted.url)
      for (const line of [
        'partway_uploads_created_total{how="new"} 2',
        'partway_uploads_completed_total 1',
        `partway_uploads_completed_bytes_total ${bytes.length}`,
        'partway_uploads_aborted_total{reason="user"} 1',
        'partway_grants_issued_total 3',
        'partway_parts_checked_total 3',
        'partway_http_request_duration_seconds_count{endpoint="createUpload",status="201"} 2',
        'partway_http_request_duration_seconds_count{endpoint="completeUpload",status="200"} 1',
        'partway_http_request_duration_seconds_count{endpoint="unknown",status="404"} 1',
        'partway_oss_call_duration_seconds_count{operation="InitiateMultipartUpload",outcome="ok"} 2',
        'partway_oss_call_duration_seconds_count{operation="CompleteMultipartUpload",outcome="ok"} 1',
      ]) {
        expect(text).toContain(`${line}\n`)
      }
      expect(text).toMatch(/partway_db_pool_connections\{state="idle"\} [1-9]/)
      expect(text).toMatch(/partway_build_info\{version="\d+\.\d+\.\d+",node="\d+/)
      expect(text).toContain('nodejs_eventloop_lag_seconds')
      for (const leak of [upload.id, upload.key, 'scanner', '/v1/']) expect(text).not.toContain(leak)
    } finally {
      await counted.close()
    }
  })

  test('belong to one app: another in the same process counts for itself', async () => {
    const fresh = await startTestApp({ beside: app })
    try {
      await fetch(`${app.url}/v1/time`)
      expect(await scrape(app.url)).toContain('endpoint="getTime"')
      expect(await scrape(fresh.url)).not.toContain('endpoint="getTime"')
    } finally {
      await fresh.close()
    }
  })

  test.each(['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto'])(
    'are not open to what a proxy on this machine passes on (%s)',
    async (header) => {
      const proxied = await fetch(`${app.url}/metrics`, { headers: { [header]: '127.0.0.1' } })
      expect([proxied.status, (await proxied.json()).code]).toEqual([403, 'forbidden'])
    },
  )

  test('are not open to other machines, whatever address they claim', async () => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((found) => found && !found.internal && found.family === 'IPv4')?.address
    if (!address) return
    const deps: Deps = { ...app.deps, config: { ...app.deps.config, http: { ...app.deps.config.http, trustProxy: 1 } } }
    const server = await listen(createApp(deps), '0.0.0.0', 0)
    try {
      expect((await fetch(`http://127.0.0.1:${server.port}/metrics`)).status).toBe(200)
      expect((await fetch(`http://${address}:${server.port}/metrics`)).status).toBe(403)
      const claims = { 'x-forwarded-for': '127.0.0.1' }
      expect((await fetch(`http://${address}:${server.port}/metrics`, { headers: claims })).status).toBe(403)
    } finally {
      await server.close(0)
    }
  })

  test('are open to holders of METRICS_TOKEN, wherever they come from, and to no user', async () => {
    const token = 'a-metrics-token-nobody-could-guess'
    const guarded = await startTestApp({ beside: app, environment: { METRICS_TOKEN: token } })
    try {
      const ask = async (authorization?: string) => {
        const headers = { 'x-forwarded-for': '203.0.113.9', ...(authorization ? { authorization } : {}) }
        return (await fetch(`${guarded.url}/metrics`, { headers })).status
      }
      expect(await ask(`Bearer ${token}`)).toBe(200)
      expect(await ask()).toBe(401)
      expect(await ask(`Bearer ${token}x`)).toBe(401)
      expect(await ask(`Bearer ${guarded.token({ scopes: ['admin'] })}`)).toBe(401)
    } finally {
      await guarded.close()
    }
  })
})
