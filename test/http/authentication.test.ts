import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { endpoints } from '@partway/client/contract'
import fc from 'fast-check'
import jwt from 'jsonwebtoken'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JwtKey } from '../../server/config.ts'
import { principalOf } from '../../server/http/token-claims.ts'
import { EVERY_TENANT } from '../../server/principal.ts'
import { startTestApp, TEST_JWT_SECRET, type TestApp, testToken } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())

const inTenMinutes = () => Math.floor(Date.now() / 1000) + 600
const base64urlDigits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token put together by hand, so that it can be wrong in ways no library would write. */
function handMade(header: unknown, payload: unknown, secret = TEST_JWT_SECRET): string {
  const signed = `${base64url(header)}.${base64url(payload)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
const good = () => ({ sub: 'alice', scope: 'uploads', exp: inTenMinutes() })
const hs256 = { alg: 'HS256', typ: 'JWT' }

async function statusOf(token: string | null, url = app.url): Promise<number> {
  const response = await fetch(`${url}/v1/uploads`, token === null ? {} : { headers: { authorization: token } })
  const body = await response.json()
  if (response.status === 401) {
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(body).toMatchObject({ code: 'unauthenticated', status: 401 })
  }
  return response.status
}

describe('a bearer token', () => {
  test('lets its holder in', async () => {
    expect(await statusOf(`Bearer ${testToken()}`)).toBe(200)
    expect(await statusOf(`bearer   ${handMade(hs256, good())}`)).toBe(200)
  })

  test.each(['HS384', 'HS512'] as const)('may be signed with %s by the holder of the secret', async (algorithm) => {
    expect(await statusOf(`Bearer ${jwt.sign(good(), TEST_JWT_SECRET, { algorithm })}`)).toBe(200)
  })

  test.each<[string, () => string | null]>([
    ['is missing', () => null],
    ['has another scheme', () => `Basic ${Buffer.from('a:b').toString('base64')}`],
    ['is empty', () => 'Bearer '],
    ['is not a JWT', () => 'Bearer abc'],
    ['has a header that is not JSON', () => 'Bearer YQ.YQ.YQ'],
    ['has a number for its header', () => 'Bearer NQ.e30.YQ'],
    ['has a text for its header', () => `Bearer ${handMade('alg', good())}`],
    ['has true for its header', () => `Bearer ${handMade(true, good())}`],
    ['has null for its header', () => `Bearer ${handMade(null, good())}`],
    ['has a list for its header', () => `Bearer ${handMade([hs256], good())}`],
    ['is signed with another secret', () => `Bearer ${handMade(hs256, good(), 'another')}`],
    ['is cut short', () => `Bearer ${handMade(hs256, good()).slice(0, -2)}`],
    ['has an altered payload', () => forged({ ...good(), tenant: 'other' })],
    ['names no algorithm', () => `Bearer ${base64url({ alg: 'none' })}.${base64url(good())}.`],
    ['names the algorithm nOnE', () => `Bearer ${base64url({ alg: 'nOnE' })}.${base64url(good())}.`],
    ['claims an RSA signature', () => `Bearer ${handMade({ alg: 'RS256' }, good())}`],
    ['has a critical extension', () => `Bearer ${handMade({ ...hs256, crit: ['x'], x: 1 }, good())}`],
    ['has an empty crit', () => `Bearer ${handMade({ ...hs256, crit: [] }, good())}`],
    ['has no exp', () => `Bearer ${handMade(hs256, { sub: 'alice', scope: 'uploads' })}`],
    ['has an exp in words', () => `Bearer ${handMade(hs256, { ...good(), exp: 'tomorrow' })}`],
    ['has expired', () => `Bearer ${handMade(hs256, { ...good(), exp: Math.floor(Date.now() / 1000) - 60 })}`],
    ['is not valid yet', () => `Bearer ${handMade(hs256, { ...good(), nbf: inTenMinutes() })}`],
    ['has no sub', () => `Bearer ${handMade(hs256, { scope: 'uploads', exp: inTenMinutes() })}`],
    ['has an empty sub', () => `Bearer ${handMade(hs256, { ...good(), sub: '' })}`],
    ['has a number for sub', () => `Bearer ${handMade(hs256, { ...good(), sub: 7 })}`],
    ['has a sub of 257 characters', () => `Bearer ${handMade(hs256, { ...good(), sub: 'x'.repeat(257) })}`],
    ['has the sub of every tenant and no tenant', () => `Bearer ${handMade(hs256, { ...good(), sub: '*' })}`],
    ['has a NUL in its sub', () => `Bearer ${handMade(hs256, { ...good(), sub: 'a\0b' })}`],
    ['has a lone surrogate in its tenant', () => `Bearer ${handMade(hs256, { ...good(), tenant: 'a\ud800' })}`],
    ['has a list for scope', () => `Bearer ${handMade(hs256, { ...good(), scope: ['uploads'] })}`],
    ['misspells a limit', () => `Bearer ${handMade(hs256, { ...good(), limits: { maxSize: 1 } })}`],
    ['has a negative limit', () => `Bearer ${handMade(hs256, { ...good(), limits: { maxSizeBytes: -1 } })}`],
    [
      'limits to what is no media type',
      () => `Bearer ${handMade(hs256, { ...good(), limits: { contentTypes: ['*'] } })}`,
    ],
    ['has a payload that is text', () => `Bearer ${handMade(hs256, 'alice')}`],
    ['is larger than 8 KB', () => `Bearer ${handMade(hs256, { ...good(), extra: 'x'.repeat(8192) })}`],
  ])('that %s is refused', async (_why, authorization) => {
    expect(await statusOf(authorization())).toBe(401)
  })

  test('of any three texts never makes the server fail', async () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(...base64urlDigits), minLength: 1, maxLength: 80 }),
      fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
      fc.jsonValue().map(base64url),
    )
    const token = fc.oneof(
      fc.tuple(text, text, text).map((parts) => parts.join('.')),
      // Rightly signed, so that the claims are looked at too.
      fc.jsonValue().map((payload) => handMade(hs256, payload)),
      fc
        .record({ sub: fc.jsonValue(), tenant: fc.jsonValue(), scope: fc.jsonValue(), limits: fc.jsonValue() })
        .map((claims) => handMade(hs256, { ...good(), ...claims })),
    )
    await fc.assert(
      fc.asyncProperty(token, async (token) => {
        expect(await statusOf(`Bearer ${token}`)).toBeLessThan(500)
      }),
      { seed: 20260304, numRuns: 600 },
    )
  })

  test('is taken from the Authorization header only', async () => {
    const token = testToken()
    expect((await fetch(`${app.url}/v1/uploads?access_token=${token}`)).status).toBe(401)
    expect((await fetch(`${app.url}/v1/uploads`, { headers: { cookie: `token=${token}` } })).status).toBe(401)
  })

  test('does not tell why a forged one failed', async () => {
    const answers = [handMade(hs256, good(), 'another'), handMade({ ...hs256, crit: ['x'] }, good()), 'YQ.YQ.YQ']
    const details = await Promise.all(
      answers.map(async (token) => {
        const response = await fetch(`${app.url}/v1/uploads`, { headers: { authorization: `Bearer ${token}` } })
        return (await response.json()).detail
      }),
    )
    expect(new Set(details).size).toBe(1)
  })

  test('tells that it has expired, by the server’s clock with half a minute of tolerance', async () => {
    const expiredFor = (seconds: number) =>
      fetch(`${app.url}/v1/uploads`, {
        headers: {
          authorization: `Bearer ${handMade(hs256, { ...good(), exp: Math.floor(Date.now() / 1000) - seconds })}`,
        },
      })
    expect((await expiredFor(5)).status).toBe(200)
    expect((await (await expiredFor(60)).json()).detail).toBe('The bearer token has expired.')
  })

  function forged(payload: unknown): string {
    const [header, , signature] = handMade(hs256, good()).split('.')
    return `Bearer ${header}.${base64url(payload)}.${signature}`
  }
})

describe('a scope', () => {
  const protectedEndpoints = Object.entries(endpoints).filter(([, endpoint]) => 'scope' in endpoint)

  test.each(protectedEndpoints)(
    '%s answers 401 without a token and 403 without its scope, whatever the body',
    async (_name, { method, path, ...endpoint }) => {
      const call = (headers: Record<string, string>) =>
        fetch(`${app.url}${path.replace('{id}', `upl_${'0'.repeat(32)}`).replace('{tenant}', 'alice')}`, {
          method,
          headers: { ...headers, 'content-type': 'text/plain' },
          ...(method === 'GET' ? {} : { body: 'not json' }),
        })
      expect((await call({})).status).toBe(401)
      const scopes = ['', 'admin', 'credentials', 'credentials:direct', 'uploads', 'UPLOADS', 'uploads:other']
      const own = 'scope' in endpoint ? endpoint.scope : ''
      for (const scope of [...scopes.filter((scope) => scope !== own), `${own},${own}`]) {
        const token = jwt.sign({ sub: 'alice', scope }, TEST_JWT_SECRET, { expiresIn: 60 })
        const response = await call({ authorization: `Bearer ${token}` })
        expect([scope, response.status, (await response.json()).code]).toEqual([scope, 403, 'forbidden'])
      }
    },
  )

  test('uploads:tenant includes uploads, and unknown scopes are ignored', async () => {
    const withScope = (scope: string) => jwt.sign({ sub: 'a', scope }, TEST_JWT_SECRET, { expiresIn: 60 })
    expect(await statusOf(`Bearer ${withScope('uploads:tenant')}`)).toBe(200)
    expect(await statusOf(`Bearer ${withScope('openid uploads profile')}`)).toBe(200)
  })

  test('of a token for every tenant does not open /v1/uploads', async () => {
    const token = testToken({ tenant: '*', scopes: ['admin', 'uploads', 'uploads:tenant'] })
    expect(await statusOf(`Bearer ${token}`)).toBe(403)
  })

  test('on every tenant takes an explicit tenant, not a subject called *', async () => {
    const ask = (claims: object) =>
      fetch(`${app.url}/v1/uploads`, { headers: { authorization: `Bearer ${handMade(hs256, claims)}` } })
    const response = await ask({ ...good(), sub: '*', scope: 'admin' })
    expect([response.status, (await response.json()).detail]).toEqual([
      401,
      'A token with the subject * must name its tenant.',
    ])
    const named = { ...good(), sub: '*', tenant: 'acme', scope: 'uploads' }
    expect(await statusOf(`Bearer ${handMade(hs256, named)}`)).toBe(200)
    expect(principalOf({ ...named, tenant: '*' }).tenant).toBe(EVERY_TENANT)
  })

  test('is not asked for the time', async () => {
    const response = await fetch(`${app.url}/v1/time`)
    expect(Math.abs(Date.parse((await response.json()).now) - Date.now())).toBeLessThan(60_000)
  })
})

describe('issuer and audience', () => {
  test('must be the configured ones', async () => {
    const strict = await startTestApp({
      beside: app,
      environment: { JWT_ISSUER: 'https://me', JWT_AUDIENCE: 'partway' },
    })
    try {
      const sign = (claims: object) => `Bearer ${jwt.sign({ ...good(), ...claims }, TEST_JWT_SECRET)}`
      expect(await statusOf(sign({ iss: 'https://me', aud: ['x', 'partway'] }), strict.url)).toBe(200)
      expect(await statusOf(sign({ iss: 'https://me' }), strict.url)).toBe(401)
      expect(await statusOf(sign({ iss: 'https://other', aud: 'partway' }), strict.url)).toBe(401)
    } finally {
      await strict.close()
    }
  })
})

describe('a development token', () => {
  test('is refused in production', async () => {
    const production = await startTestApp({
      beside: app,
      config: (config) => ({ ...config, environment: 'production' }),
    })
    try {
      expect(await statusOf(`Bearer ${testToken()}`, production.url)).toBe(401)
      expect(await statusOf(`Bearer ${handMade(hs256, good())}`, production.url)).toBe(200)
    } finally {
      await production.close()
    }
  })
})

/** A test app whose tokens are verified with `key`. */
const startWith = (key: JwtKey) =>
  startTestApp({ beside: app, config: (config) => ({ ...config, jwt: { ...config.jwt, key } }) })
const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()

describe('a public key', () => {
  test('takes only signatures of its own kind; its PEM is no HMAC secret', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = pemOf(rsa.publicKey)
    const server = await startWith({ kind: 'public-key', pem })
    const sign = (key: KeyObject, algorithm: jwt.Algorithm) => `Bearer ${jwt.sign(good(), key, { algorithm })}`
    try {
      for (const algorithm of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const) {
        expect(await statusOf(sign(rsa.privateKey, algorithm), server.url)).toBe(200)
      }
      expect(await statusOf(sign(ec.privateKey, 'ES256'), server.url)).toBe(401)
      // The classic swap: sign with the public key's text as if it were a shared secret.
      expect(await statusOf(`Bearer ${handMade(hs256, good(), pem)}`, server.url)).toBe(401)
      expect(await statusOf(`Bearer ${handMade(hs256, good(), pem.trim())}`, server.url)).toBe(401)
    } finally {
      await server.close()
    }
  })

  test('on a curve takes the algorithm of that curve', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const server = await startWith({ kind: 'public-key', pem: pemOf(ec.publicKey) })
    try {
      expect(await statusOf(`Bearer ${jwt.sign(good(), ec.privateKey, { algorithm: 'ES384' })}`, server.url)).toBe(200)
      const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      expect(await statusOf(`Bearer ${jwt.sign(good(), other.privateKey, { algorithm: 'ES256' })}`, server.url)).toBe(
        401,
      )
    } finally {
      await server.close()
    }
  })
})
