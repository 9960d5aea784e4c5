import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
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

/**
 * Listens on `host`:`port` (0: any free port). Rejects with the system's error when the port is taken. Requests are small and their bodies at most
 * 1 MiB, so whoever takes longer than these limits to send one is gone or up to something.
 */
export async function listen(handle: RequestListener, host: string, port: number): Promise<HttpServer> {
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      // Longer than the usual 60 s of load balancers, so that it is they who close an idle connection, and no request meets a closed one.
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: MAX_HEAD_BYTES,
    },
    handle,
  )
  server.on('clientError', refuseUnreadable)
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

/** What is not HTTP, or too slow, never becomes a request; it is answered on the bare connection. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  const detail =
    error.code === 'HPE_HEADER_OVERFLOW' ? 'The head of the request is too large.' : 'The request is not valid HTTP.'
  const { instance: _none, ...document } = problemDocument(new Problem('invalid-request', detail), '/docs', '')
  const body = JSON.stringify(document)
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
