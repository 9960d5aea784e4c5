import { endpoints } from '@partway/client/contract'
import express, { Router } from 'express'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RequestContext } from '../../server/deps.ts'
import { bind } from '../../server/http/bind.ts'
import { type HttpServer, listen } from '../../server/http/http-server.ts'
import { problemHandler } from '../../server/http/problem-handler.ts'
import { requestContext } from '../../server/http/request-context.ts'
import { createLogger } from '../../server/log.ts'
import { createMetrics } from '../../server/metrics.ts'

// One endpoint whose handler the test writes: what bind promises to every use case.
let handle: (context: RequestContext, body: unknown) => Promise<{ status: number; body: unknown }>
let server: HttpServer
let url: string
beforeAll(async () => {
  const router = Router()
  const never = () => Promise.reject(new Error('this endpoint asks for no token'))
  bind({ router, authenticate: never }, endpoints.getTime, (_principal, input, context) => handle(context, input.body))
  const app = express()
  app.use(requestContext(createLogger({ level: 'silent' }), createMetrics({ version: '0.0.0' })))
  app.use(router)
  app.use(problemHandler(() => '/docs'))
  server = await listen(app, '127.0.0.1', 0)
  url = `http://127.0.0.1:${server.port}/v1/time`
})
afterAll(() => server.close(0))

test('the signal fires when the caller hangs up, and not when it is answered', async () => {
  const signals: AbortSignal[] = []
  handle = async ({ signal }) => {
    signals.push(signal)
    return { status: 200, body: {} }
  }
  expect((await fetch(url)).status).toBe(200)
  handle = ({ signal }) => {
    signals.push(signal)
    return new Promise(() => {})
  }
  const hangUp = new AbortController()
  const call = fetch(url, { signal: hangUp.signal })
  await expect.poll(() => signals.length).toBe(2)
  hangUp.abort()
  await expect(call).rejects.toThrow()
  await expect.poll(() => signals[1]?.aborted).toBe(true)
  expect(signals[0]?.aborted).toBe(false)
})

test('the handler knows the request by the id that the caller gets', async () => {
  handle = async ({ requestId }) => ({ status: 200, body: { requestId } })
  const response = await fetch(url)
  expect((await response.json()).requestId).toBe(response.headers.get('x-request-id'))
})

test('answers are JSON that nobody keeps, with the status the handler chose', async () => {
  handle = async () => ({ status: 202, body: { text: '目录 é' } })
  const response = await fetch(url)
  expect([response.status, await response.json()]).toEqual([202, { text: '目录 é' }])
  expect(response.headers.get('cache-control')).toBe('no-store')
})

test('whatever a handler throws becomes an answer', async () => {
  for (const thrown of [
    new Error('x'),
    'text',
    null,
    undefined,
    { status: 200 },
    Object.assign(new Error('x'), { status: 204 }),
  ]) {
    handle = async () => {
      throw thrown
    }
    const response = await fetch(url)
    expect([response.status, (await response.json()).code]).toEqual([500, 'internal'])
  }
})
