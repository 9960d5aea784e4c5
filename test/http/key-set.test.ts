import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import jwt from 'jsonwebtoken'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Config } from '../../server/config.ts'
import { createTokenVerifier } from '../../server/http/verify-token.ts'
import { Problem } from '../../server/problem.ts'
import { startTestApp } from '../support/app.ts'

const first = generateKeyPairSync('rsa', { modulusLength: 2048 })
const second = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = (key: KeyObject, fields: object) => ({ ...key.export({ format: 'jwk' }), use: 'sig', ...fields })
const one = jwk(first.publicKey, { kid: 'one', alg: 'RS256' })
const two = jwk(second.publicKey, { kid: 'two' })

let keyServer: Server
let url: string
let requests = 0
/** How the server of the keys answers; a test may change it. */
let answer: (response: ServerResponse) => void
const serve = (...keys: object[]) => {
  answer = (response) => response.end(JSON.stringify({ keys }))
}
const fail = () => {
  answer = (response) => response.writeHead(500).end()
}

beforeAll(async () => {
  keyServer = createServer((_request, response) => {
    requests++
    answer(response)
  })
  await new Promise<void>((resolve) => keyServer.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/jwks`
})
afterAll(() => {
  keyServer.closeAllConnections()
  keyServer.close()
})

let nowMs: number
const now = () => new Date(nowMs)
const pass = (seconds: number) => {
  nowMs += seconds * 1000
}
beforeEach(() => {
  nowMs = Date.now()
  requests = 0
  serve(one)
})

function sign(key: KeyObject, algorithm: jwt.Algorithm, keyid?: string): string {
  const privateKey = createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' }))
  const claims = { sub: 'alice', scope: 'uploads', exp: Math.floor(nowMs / 1000) + 3600 }
  return jwt.sign(claims, privateKey, { algorithm, ...(keyid === undefined ? {} : { keyid }) })
}
const byOne = () => sign(first.privateKey, 'RS256', 'one')
const byTwo = () => sign(second.privateKey, 'ES256', 'two')
const forged = () => sign(first.privateKey, 'RS256', randomUUID())

/** A verifier that has seen no key yet; tells each token's status, as the server would answer it. */
function newVerifier() {
  const config: Pick<Config, 'jwt' | 'environment'> = {
    jwt: { key: { kind: 'jwks', url }, issuer: null, audience: null },
    environment: 'production',
  }
  const verify = createTokenVerifier(config, now)
  return (token: string) =>
    verify(token).then(
      () => 200,
      (error) => (error instanceof Problem ? error.status : error),
    )
}

describe('a key set', () => {
  test('is fetched once, by everybody at a time, and kept for ten minutes', async () => {
    const statusOf = newVerifier()
    expect(await Promise.all(Array.from({ length: 20 }, () => statusOf(byOne())))).toEqual(Array(20).fill(200))
    pass(599)
    expect(await statusOf(byOne())).toBe(200)
    expect(requests).toBe(1)
    pass(1)
    expect(await Promise.all([statusOf(byOne()), statusOf(byOne())])).toEqual([200, 200])
    expect(requests).toBe(2)
  })

  test('sets the algorithm where it names one, and else allows those of the key’s type', async () => {
    serve(one, two)
    const statusOf = newVerifier()
    expect(await statusOf(sign(first.privateKey, 'PS256', 'one'))).toBe(401)
    expect(await statusOf(byTwo())).toBe(200)
    expect(await statusOf(sign(first.privateKey, 'RS256', 'two'))).toBe(401)
  })

  test('of one key takes tokens without a key id, of two it does not', async () => {
    const withoutId = () => sign(first.privateKey, 'RS256')
    expect(await newVerifier()(withoutId())).toBe(200)
    serve(one, two)
    expect(await newVerifier()(withoutId())).toBe(401)
  })

  test('is not fetched for a flood of unknown keys, and the flood keeps nobody out', async () => {
    const statusOf = newVerifier()
    const flood = Array.from({ length: 200 }, forged)
    expect(new Set(await Promise.all(flood.map(statusOf)))).toEqual(new Set([401]))
    expect(await statusOf(byOne())).toBe(200)
    expect(requests).toBe(1)
    pass(30)
    expect(new Set(await Promise.all(flood.map(statusOf)))).toEqual(new Set([401]))
    expect(await statusOf(byOne())).toBe(200)
    expect(requests).toBe(2)
  })

  test('finds a new key after half a minute at most, and forgets a withdrawn one', async () => {
    const statusOf = newVerifier()
    expect(await statusOf(byOne())).toBe(200)
    serve(two)
    expect(await statusOf(byTwo())).toBe(401)
    pass(30)
    expect(await statusOf(byTwo())).toBe(200)
    expect(await statusOf(byOne())).toBe(401)
  })

  test('forgets a withdrawn key after a quiet time before it is used once more', async () => {
    const statusOf = newVerifier()
    expect(await statusOf(byOne())).toBe(200)
    serve(two)
    pass(3600)
    expect(await statusOf(byOne())).toBe(401)
  })

  test('is renewed also after the clock was set back', async () => {
    const statusOf = newVerifier()
    expect(await statusOf(byOne())).toBe(200)
    serve(two)
    pass(-3600)
    expect(await statusOf(byTwo())).toBe(200)
  })
})

describe('a server of keys that is down', () => {
  test.each<[string, (response: ServerResponse) => void]>([
    ['answers 500', (response) => response.writeHead(500).end()],
    ['hangs up', (response) => response.destroy()],
    ['sends no JSON', (response) => response.end('<html>')],
    ['sends null', (response) => response.end('null')],
    ['sends no keys', (response) => response.end('{"keys":[]}')],
    ['sends nonsense for keys', (response) => response.end('{"keys":[null,7]}')],
    ['sends elsewhere', (response) => response.writeHead(302, { location: '/other' }).end()],
  ])('and %s makes tokens unverifiable, not invalid, while no key is known', async (_how, down) => {
    const statusOf = newVerifier()
    answer = down
    expect(await statusOf(byOne())).toBe(503)
    serve(one)
    expect(await statusOf(byOne())).toBe(503)
    expect(requests).toBe(1)
    pass(5)
    expect(await statusOf(byOne())).toBe(200)
  })

  test('does not hurt who has a key already, for however long', async () => {
    const statusOf = newVerifier()
    expect(await statusOf(byOne())).toBe(200)
    fail()
    for (let hours = 0; hours < 3; hours++) {
      pass(3600)
      expect(await statusOf(byOne())).toBe(200)
      // It may be a new key, so nobody can say that the token is invalid.
      expect(await statusOf(byTwo())).toBe(503)
    }
    serve(one, two)
    pass(5)
    expect(await statusOf(byTwo())).toBe(200)
    expect(await statusOf(forged())).toBe(401)
  })

  test('and hangs is waited for once, and given up', async () => {
    const statusOf = newVerifier()
    expect(await statusOf(byOne())).toBe(200)
    let arrived = 0
    answer = (response) => {
      arrived++
      response.write('{"keys":') // … and no more
    }
    pass(600)
    expect(await statusOf(byOne())).toBe(200) // after five seconds
    pass(5)
    const unknown = statusOf(byTwo())
    await expect.poll(() => arrived).toBe(2)
    const first = await Promise.race([unknown, statusOf(byOne())])
    expect(first).toBe(200) // at once: the unknown key's fetch still hangs
    expect(await unknown).toBe(503)
  })
})

test('over HTTP, a flood of forged key ids leaves holders of good tokens alone, and an outage says when to try again', async () => {
  const app = await startTestApp({
    config: (config) => ({ ...config, jwt: { ...config.jwt, key: { kind: 'jwks', url } } }),
    deps: { now },
  })
  const ask = (token: string) => fetch(`${app.url}/v1/uploads`, { headers: { authorization: `Bearer ${token}` } })
  try {
    for (let count = 0; count < 30; count++) expect((await ask(forged())).status).toBe(401)
    expect((await ask(byOne())).status).toBe(200)
    expect(requests).toBe(1)
    fail()
    pass(30)
    const response = await ask(byTwo())
    expect([response.status, (await response.json()).code]).toEqual([503, 'credentials-unavailable'])
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await ask(byOne())).status).toBe(200)
  } finally {
    await app.close()
  }
})
