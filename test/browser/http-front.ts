import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands before a server as a balancer does, and sometimes answers in its place. */
export interface HttpFront {
  url: string
  /** Passes requests on to this port from now on. */
  setPort(port: number): void
  /**
   * Is asked about each request. What it returns is answered instead, as soon as the head is there; `undefined` passes the request on.
   * No CORS header is added to its answers.
   */
  answer: ((incoming: IncomingMessage) => { status: number; body?: string } | undefined) | undefined
  close(): Promise<void>
}

export async function startHttpFront(): Promise<HttpFront> {
  let target = 0
  const server = createServer((incoming, outgoing) => {
    const own = front.answer?.(incoming)
    if (own) {
      incoming.resume()
      outgoing.writeHead(own.status, { 'content-type': 'text/plain' }).end(own.body ?? '')
      return
    }
    passOn(incoming, outgoing, target)
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const front: HttpFront = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setPort(port) {
      target = port
    },
    answer: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return front
}

function passOn(incoming: IncomingMessage, outgoing: ServerResponse, port: number): void {
  const { method, url, headers } = incoming
  const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (reply) => {
    outgoing.writeHead(reply.statusCode ?? 502, reply.headers)
    reply.pipe(outgoing)
    // An answer before the whole body came: the rest has nowhere to go, and the client waits until it is gone.
    incoming.unpipe(onward)
    incoming.resume()
  })
  onward.on('error', () => outgoing.destroy())
  outgoing.on('close', () => onward.destroy())
  incoming.pipe(onward)
}
