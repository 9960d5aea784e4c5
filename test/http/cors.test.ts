import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

const allowed = 'https://app.example.com'
let app: TestApp
let closed: TestApp
beforeAll(async () => {
  app = await startTestApp({ environment: { CORS_ORIGINS: `${allowed},http://localhost:5173` } })
  closed = await startTestApp({ beside: app })
})
afterAll(async () => {
  await closed.close()
  await app.close()
})

const preflight = (url: string, origin: string, method = 'POST') =>
  fetch(`${url}/v1/uploads`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'authorization' },
  })
const corsHeaders = (response: Response) => [...response.headers].filter(([name]) => name.startsWith('access-control-'))

describe('a page of an allowed origin', () => {
  test.each([allowed, 'http://localhost:5173'])(
    '%s may call, with a token, and read what retries need',
    async (origin) => {
      const asked = await preflight(app.url, origin)
      expect(asked.status).toBe(204)
      expect(Object.fromEntries(corsHeaders(asked))).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': expect.stringContaining('PUT'),
        'access-control-allow-headers': expect.stringContaining('Authorization'),
      })
      expect(asked.headers.get('vary')).toContain('Origin')
      const answered = await fetch(`${app.url}/v1/uploads`, { headers: { origin } })
      expect(answered.status).toBe(401)
      expect(answered.headers.get('access-control-allow-origin')).toBe(origin)
      expect(answered.headers.get('access-control-expose-headers')?.split(',')).toEqual([
        'X-Request-Id',
        'Retry-After',
        'Date',
      ])
    },
  )

  test('is never allowed to send cookies', async () => {
    expect((await preflight(app.url, allowed)).headers.has('access-control-allow-credentials')).toBe(false)
  })
})

describe('any other page', () => {
  test.each([
    'https://evil.example.com',
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://app.example.com.evil.com',
    'https://evil-app.example.com',
    'HTTPS://APP.EXAMPLE.COM',
    'null',
    '*',
  ])('%s is not', async (origin) => {
    for (const response of [
      await preflight(app.url, origin),
      await fetch(`${app.url}/v1/time`, { headers: { origin } }),
    ]) {
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
      // Otherwise a shared cache could hand this answer to an allowed page.
      expect(response.headers.get('vary')).toContain('Origin')
    }
  })

  test('is not even when no origin is configured', async () => {
    expect((await preflight(closed.url, allowed)).headers.get('access-control-allow-origin')).toBeNull()
    const response = await fetch(`${closed.url}/v1/time`, { headers: { origin: allowed } })
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([200, null])
  })
})
