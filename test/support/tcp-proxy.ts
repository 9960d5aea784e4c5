import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between a client and servers that come and go, like a balancer or a bad line. */
export interface TcpProxy {
  port: number
  /** Bytes that clients have sent on to a living server. */
  sentBytes(): number
  /** Cuts every connection, and new ones at once, until `restore`. */
  interrupt(): void
  restore(): void
  close(): Promise<void>
}

/**
 * Passes connections on to the first of `ports` that takes them, or with `isInTurn` to each port in its turn; when none does, the client's connection is closed before a byte of it was
 * read. `bytesPerSecond` limits what all clients together may send, so that there is time to break things.
 */
export async function startTcpProxy(
  ports: readonly number[],
  bytesPerSecond = Number.POSITIVE_INFINITY,
  isInTurn = false,
): Promise<TcpProxy> {
  let sentBytes = 0
  let freeAt = 0
  let isInterrupted = false
  let turn = 0
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    return socket
  }

  const server = createServer({ pauseOnConnect: true }, async (client) => {
    keep(client)
    const first = isInTurn ? turn++ % ports.length : 0
    const inOrder = [...ports.slice(first), ...ports.slice(0, first)]
    const upstream = isInterrupted ? null : await connectToFirst(inOrder)
    if (!upstream || client.destroyed) {
      client.destroy()
      upstream?.destroy()
      return
    }
    keep(upstream)
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    upstream.pipe(client)
    client.on('data', (chunk: Buffer) => {
      sentBytes += chunk.length
      const hasRoom = upstream.write(chunk)
      const now = performance.now()
      freeAt = Math.max(freeAt, now) + (chunk.length / bytesPerSecond) * 1000
      const waitMs = freeAt - now
      if (waitMs > 1) {
        client.pause()
        setTimeout(() => client.resume(), waitMs)
      } else if (!hasRoom) {
        client.pause()
        upstream.once('drain', () => client.resume())
      }
    })
    client.on('end', () => upstream.end())
    client.resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    sentBytes: () => sentBytes,
    interrupt() {
      isInterrupted = true
      for (const socket of sockets) socket.destroy()
    },
    restore() {
      isInterrupted = false
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

async function connectToFirst(ports: readonly number[]): Promise<Socket | null> {
  for (const port of ports) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    if (isOpen) return socket
    socket.destroy()
  }
  return null
}
