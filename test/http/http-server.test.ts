import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect } from 'node:net'
import { ProblemDocument } from '@partway/client/contract'
import { afterEach, describe, expect, test } from 'vitest'
import { type HttpServer, listen } from '../../server/http/http-server.ts'

const soon = { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 25 }
let server: HttpServer
afterEach(() => server.close(0))

const readAll: RequestListener = (request, response) => {
  request.on('error', () => {})
  request.resume().on('end', () => response.end('fine'))
}
const start = async (handle = readAll, timeouts?: typeof soon) => {
  server = await listen(handle, '127.0.0.1', 0, timeouts)
}

/** All answers to `bytes`, until the server hangs up. */
async function answersTo(...bytes: string[]): Promise<string> {
  const socket = connect(server.port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  // Writing on while the server hangs up may break the pipe: the answer is what counts.
  socket.on('error', () => {})
  for (const piece of bytes) {
    const before = text
    socket.write(piece)
    if (piece !== bytes.at(-1)) await expect.poll(() => text).not.toBe(before)
  }
  await once(socket, 'close')
  return text
}

function expectRefusal(text: string, status: number, code: string, detail: string) {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} \\w`))
  expect(head).toContain('Content-Type: application/problem+json; charset=utf-8')
  expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`)
  expect(ProblemDocument.parse(JSON.parse(body))).toMatchObject({ status, code, detail })
}

const good = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const garbage = 'GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n'
const tooLarge = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`
const chunked = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'

describe('a request that cannot be read', () => {
  test.each([
    ['that is not HTTP', garbage, 400, 'invalid-request', 'The request is not valid HTTP.'],
    ['with a head too large', tooLarge, 431, 'invalid-request', 'The head of the request is too large.'],
    [
      'with chunk extensions too large',
      `${chunked}1;${'x'.repeat(20_000)}\r\n`,
      413,
      'payload-too-large',
      'The chunk extensions are too large.',
    ],
    ['with a chunk that is none', `${chunked}zz\r\n`, 400, 'invalid-request', 'The request is not valid HTTP.'],
  ])('%s is answered with a problem, and the connection ends', async (_what, bytes, status, code, detail) => {
    await start()
    expectRefusal(await answersTo(bytes), status, code, detail)
  })

  test.each([
    ['head', 'GET / HTTP/1.1\r\nHost: x\r\n'],
    ['body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nfour'],
  ])('because its %s does not arrive in time is told so', async (_what, bytes) => {
    await start(readAll, soon)
    expectRefusal(await answersTo(bytes), 408, 'invalid-request', 'The request took too long to arrive.')
  })

  test('is answered also after good ones on the same connection', async () => {
    await start()
    const text = await answersTo(good, tooLarge)
    expect(text).toMatch(/^HTTP\/1.1 200 OK/)
    expectRefusal(
      text.slice(text.lastIndexOf('HTTP/1.1')),
      431,
      'invalid-request',
      'The head of the request is too large.',
    )
  })

  test.each([
    ['is still awaited', (): void => {}],
    ['has begun', (_request: unknown, response: { write(text: string): void }): void => response.write('so far')],
  ])('is not answered in place of the one before, whose answer %s', async (_when, handle) => {
    await start(handle as RequestListener)
    const text = await answersTo(good + garbage)
    expect(text).not.toContain('400')
  })

  test('leaves no connection behind, even when the caller never hangs up', async () => {
    await start()
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    const before = sockets()
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.resume().write(garbage)
    await once(socket, 'end')
    expect(sockets()).toBe(before + 2)
    await expect.poll(sockets, { timeout: 10_000 }).toBe(before + 1) // the caller's own end
    socket.destroy()
  })

  test('is not answered in the middle of its own answer', async () => {
    await start((_request, response) => void response.write('so far'))
    expect(await answersTo(chunked, 'zz\r\n')).not.toContain('400')
  })
})
