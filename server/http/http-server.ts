import { createServer, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProblemCode } from '@partway/client/contract'
import { Problem } from '../problem.ts'
import { problemDocument } from './problem-handler.ts'

export interface HttpServer {
  /** The port it took. */
  port: number
  /** Stops accepting, lets requests under way finish for at most `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>
}

/** A whole head may have 16 KB: a token of 8 KB, the path, and what proxies add. */
const MAX_HEAD_BYTES = 16 * 1024

/** How long a refused peer has to read its answer and hang up. */
const LINGER_MS = 1_000

type Timeouts = Pick<ServerOptions, 'headersTimeout' | 'requestTimeout' | 'connectionsCheckingInterval'>

/** Requests are small and their bodies at most 1 MiB, so whoever takes longer than this to send one is gone or up to something. */
const defaultTimeouts: Timeouts = { headersTimeout: 10_000, requestTimeout: 60_000, connectionsCheckingInterval: 5_000 }

/** Listens on `host`:`port` (0: any free port). Rejects with the system's error when the port is taken. */
export async function listen(
  handle: RequestListener,
  host: string,
  port: number,
  timeouts: Timeouts = defaultTimeouts,
): Promise<HttpServer> {
  const server = createServer(
    {
      ...timeouts,
      // Longer than the usual 60 s of load balancers, so that it is they who close an idle connection, and no request meets a closed one.
      keepAliveTimeout: 65_000,
      maxHeaderSize: MAX_HEAD_BYTES,
    },
    handle,
  )
  const latest = new WeakMap<Duplex, ServerResponse>()
  server.on('request', ({ socket }, response) => latest.set(socket, response))
  server.on('clientError', (error, socket) => refuseUnreadable(error, socket, latest.get(socket)))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return { port: (server.address() as AddressInfo).port, close: (graceMs) => closeGracefully(server, graceMs) }
}

async function closeGracefully(server: Server, graceMs: number): Promise<void> {
  const timer = new AbortController()
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  // Connections that become idle from now on would otherwise be kept for the next request.
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  await Promise.race([closed, delay(graceMs, undefined, { signal: timer.signal }).catch(() => {})])
  timer.abort()
  clearInterval(sweep)
  server.closeAllConnections()
  await closed
}

/** By Node's error code, as Node itself would answer. Anything else is 400. */
const refusals: Record<string, [statusLine: string, code: ProblemCode, detail: string]> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'invalid-request',
    'The head of the request is too large.',
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Payload Too Large', 'payload-too-large', 'The chunk extensions are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'invalid-request', 'The request took too long to arrive.'],
}

/**
 * What is not HTTP, too large or too slow is answered on the bare connection, if an answer can only be meant for it. `latest` is the answer to the
 * last request that was read on this connection: the bad one itself when its body is at fault, and otherwise the one before it.
 */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex, latest: ServerResponse | undefined): void {
  const isFree = latest === undefined || latest.writableFinished
  const isOwnTurn = latest !== undefined && latest.socket === socket && !latest.headersSent && !latest.req.complete
  if (error.code === 'ECONNRESET' || !socket.writable || !(isFree || isOwnTurn)) {
    socket.destroy()
    return
  }
  const [statusLine, code, detail] = refusals[error.code ?? ''] ?? [
    '400 Bad Request',
    'invalid-request',
    'The request is not valid HTTP.',
  ]
  const { instance: _none, ...document } = problemDocument(new Problem(code, detail), '/docs', '')
  const body = JSON.stringify({ ...document, status: Number.parseInt(statusLine, 10) })
  const head = [
    `HTTP/1.1 ${statusLine}`,
    'Connection: close',
    'Cache-Control: no-store',
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // Cut at once, a peer that still sends might lose the answer; never cut, one that does not hang up would keep the connection for ever.
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}
