import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { endpoints } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Deps } from '../../server/deps.ts'
import { Problem } from '../../server/problem.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problems.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())

describe('a path', () => {
  test.each([
    '/v1',
    '/v1/upload',
    '/v1/uploads/',
    '/V1/uploads',
    '/v1/uploads/x/y',
    '/v1/uploads//parts',
    '/healthz/',
    '/%00',
  ])('%s that leads nowhere answers not-found', async (path) => {
    await expectProblem(await fetch(app.url + path), 'not-found')
  })

  const paths = [...new Set(Object.values(endpoints).map(({ path }) => path))]
  test.each([...paths, '/healthz', '/readyz', '/metrics', '/openapi.json', '/docs'])(
    '%s names the methods it takes',
    async (path) => {
      const known = Object.values(endpoints).filter((endpoint) => endpoint.path === path)
      const methods = known.length > 0 ? known.map(({ method }) => method as string) : ['GET']
      const url = app.url + path.replace('{id}', `upl_${'0'.repeat(32)}`).replace('{tenant}', 'acme')
      const allowed = (response: Response) => response.headers.get('allow')?.split(', ').sort()
      const expected = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].sort()

      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'].filter(
        (method) => !methods.includes(method),
      )) {
        const response = await fetch(url, { method })
        expect(allowed(response)).toEqual(expected)
        await expectProblem(response, 'method-not-allowed')
      }
      const options = await fetch(url, { method: 'OPTIONS' })
      expect([options.status, allowed(options), await options.text()]).toEqual([204, expected, ''])
    },
  )

  test('that can be read answers HEAD like GET, without a body', async () => {
    const headers = { authorization: `Bearer ${app.token()}` }
    const head = await fetch(`${app.url}/v1/uploads`, { method: 'HEAD', headers })
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect(head.headers.get('content-length')).toBe(
      (await fetch(`${app.url}/v1/uploads`, { headers })).headers.get('content-length'),
    )
    const refused = await fetch(`${app.url}/v1/uploads`, { method: 'HEAD' })
    expect([refused.status, await refused.text()]).toEqual([401, ''])
  })
})

describe('a request id', () => {
  test('is the caller’s when it is sane, and new when it is not', async () => {
    const idOf = async (sent?: string) => {
      const response = await fetch(`${app.url}/nope`, { headers: sent === undefined ? {} : { 'x-request-id': sent } })
      const problem = await expectProblem(response, 'not-found')
      return problem.instance
    }
    expect(await idOf('abc-123_X.9')).toBe('abc-123_X.9')
    for (const sent of [undefined, '', 'a b', 'x'.repeat(129), '<script>', '"', 'a,b']) {
      expect(await idOf(sent)).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  test('stands in the log line of its request, with endpoint, status and problem code', async () => {
    const id = randomUUID()
    await fetch(`${app.url}/v1/uploads?limit=0`, {
      headers: { 'x-request-id': id, authorization: `Bearer ${app.token()}` },
    })
    const line = await untilLogged(app, id)
    expect(JSON.parse(line)).toMatchObject({
      requestId: id,
      endpoint: 'listUploads',
      req: { method: 'GET', path: '/v1/uploads' },
      res: { status: 400 },
      problem: { code: 'invalid-request' },
    })
  })
})

describe('what nobody foresaw', () => {
  test('is internal to the caller and whole in the log', async () => {
    const broken = await startTestApp({
      beside: app,
      deps: { db: failing(app.deps.db, new Error('secret plans of the database')) },
    })
    try {
      const id = randomUUID()
      const response = await fetch(`${broken.url}/v1/uploads`, {
        headers: { authorization: `Bearer ${broken.token()}`, 'x-request-id': id },
      })
      const problem = await expectProblem(response, 'internal', 'listUploads')
      expect(problem.detail).toBeUndefined()
      expect(await untilLogged(broken, id)).toContain('secret plans of the database')
    } finally {
      await broken.close()
    }
  })
})

describe('a dependency that is down', () => {
  test('is answered with 503 and Retry-After: the database', async () => {
    const error = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' })
    const broken = await startTestApp({ beside: app, deps: { db: failing(app.deps.db, error) } })
    try {
      const response = await fetch(`${broken.url}/v1/uploads`, {
        headers: { authorization: `Bearer ${broken.token()}` },
      })
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
      const problem = await expectProblem(response, 'database-unavailable', 'listUploads')
      expect(JSON.stringify(problem)).not.toContain('10.0.0.7')
    } finally {
      await broken.close()
    }
  })

  test('is answered with 503 and its own Retry-After: object storage', async () => {
    const objects: Deps['objects'] = {
      ...app.deps.objects,
      initiateUpload: async () => {
        throw new Problem('storage-unavailable', 'Down.', { retryAfterSeconds: 2.5 })
      },
      findUploads: async () => [],
      close: async () => {},
    }
    const broken = await startTestApp({ beside: app, deps: { objects } })
    try {
      const response = await fetch(`${broken.url}/v1/uploads`, {
        method: 'POST',
        headers: { authorization: `Bearer ${broken.token()}`, 'content-type': 'application/json' },
        body: JSON.stringify({ fileName: 'a', sizeBytes: 1 }),
      })
      expect(response.headers.get('retry-after')).toBe('3')
      await expectProblem(response, 'storage-unavailable', 'createUpload')
    } finally {
      await broken.close()
    }
  })
})

describe('a caller that hangs up', () => {
  test('leaves a line in the log and a number in the metrics', async () => {
    let arrived = () => {}
    const isWaiting = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const initiateUpload = async (): Promise<string> => {
      arrived()
      return new Promise(() => {})
    }
    const slow = await startTestApp({
      beside: app,
      deps: { objects: { ...app.deps.objects, initiateUpload, close: async () => {} } },
    })
    try {
      const id = randomUUID()
      const hangUp = new AbortController()
      const call = fetch(`${slow.url}/v1/uploads`, {
        method: 'POST',
        headers: { authorization: `Bearer ${slow.token()}`, 'content-type': 'application/json', 'x-request-id': id },
        body: JSON.stringify({ fileName: 'a', sizeBytes: 1 }),
        signal: hangUp.signal,
      })
      await isWaiting
      hangUp.abort()
      await expect(call).rejects.toThrow()
      expect(JSON.parse(await untilLogged(slow, id))).toMatchObject({ msg: 'the caller hung up', res: { status: 499 } })
      const { text } = await slow.deps.metrics.expose()
      expect(text).toContain('partway_http_request_duration_seconds_count{endpoint="createUpload",status="499"} 1')
    } finally {
      await slow.close()
    }
  })
})

describe('bytes that are not HTTP', () => {
  test.each([
    ['GARBAGE\r\n\r\n', 'not valid HTTP'],
    ['GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n', 'not valid HTTP'],
  ])('%j are answered with a problem, and the connection ends', async (bytes, detail) => {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    // Writing on while the server hangs up may break the pipe: the answer is what counts.
    socket.on('error', () => {})
    socket.write(bytes)
    await once(socket, 'close')
    const text = Buffer.concat(chunks).toString()
    expect(text).toMatch(/^HTTP\/1.1 400 /)
    expect(text).toContain('application/problem+json')
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toMatchObject({
      code: 'invalid-request',
      detail: expect.stringContaining(detail),
    })
  })
})

/** A database whose every query throws `error`. */
function failing(db: Deps['db'], error: Error): Deps['db'] {
  const prisma = new Proxy(db.prisma, {
    get: () => {
      throw error
    },
  })
  return { ...db, prisma, transaction: () => Promise.reject(error), close: async () => {} }
}

/** The log line that holds `text`; it is written when the answer has left. */
async function untilLogged({ logLines }: TestApp, text: string): Promise<string> {
  return expect
    .poll(() => logLines.find((line) => line.includes(text)))
    .toBeDefined()
    .then(() => logLines.find((line) => line.includes(text)) ?? '')
}
