import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP line to a server that can be cut and refuse connections, as a restarting server or a bad network does. */
export interface BrokenLine {
  url: string
  /** Drops every connection and refuses new ones until `mend`. */
  cut(): void
  mend(): void
  /** Keeps connections open and lets nothing through, in either direction. */
  freeze(): void
  connections(): number
  close(): Promise<void>
}

export async function startBrokenLine(target: string): Promise<BrokenLine> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let state: 'open' | 'cut' | 'frozen' = 'open'
  const server = createServer((inside) => {
    if (state === 'cut') {
      inside.destroy()
      return
    }
    const outside = connect(Number(port), hostname)
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
      if (state === 'frozen') one.unpipe(other).pause()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      state = 'cut'
      for (const socket of sockets) socket.resetAndDestroy()
    },
    mend() {
      state = 'open'
    },
    freeze() {
      state = 'frozen'
      for (const socket of sockets) socket.unpipe().pause()
    },
    connections: () => sockets.size / 2,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
