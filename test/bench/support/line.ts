import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** How a line behaves. All connections of all its ends share it. */
export interface LineProfile {
  /** Round trip: half of it is added each way. */
  roundTripMs: number
  /** Each way. */
  bytesPerSecond: number
  /** A connection breaks with this chance for each MiB that it carries. */
  breakPerMiB: number
  /** The line is up for a while, then down: connections are cut and new ones refused. */
  flapping?: { upMs: number; downMs: number }
}

/** A line between clients and servers. */
export interface Line {
  /** Leads a port of this machine over the line; returns the near end's port. */
  lead(port: number): Promise<number>
  /** Bytes that clients have sent and received, and connections that were cut. */
  counts(): { upBytes: number; downBytes: number; breaks: number }
  /** From here on connections break as they did from the start, as far as the clients send the same. */
  breakAnew(): void
  stop(): Promise<void>
}

export const openLine: LineProfile = { roundTripMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY, breakPerMiB: 0 }

/** Bytes that may wait on the line in one direction of a connection; past it the sender is not read from, as with a full window. */
const windowBytes = 256 * 1024

/** `seed`: of the chances by which connections break. */
export function startLine(profile: LineProfile, seed = 1): Line {
  let random = chances(seed)
  const counts = { upBytes: 0, downBytes: 0, breaks: 0 }
  const pairs = new Set<[Socket, Socket]>()
  const servers: { close(): void }[] = []
  const directions = { up: { freeAt: 0 }, down: { freeAt: 0 } }
  let isUp = true
  let isStopped = false

  const cut = (pair: [Socket, Socket]) => {
    counts.breaks += 1
    for (const socket of pair) socket.resetAndDestroy()
  }

  async function flap({ upMs, downMs }: { upMs: number; downMs: number }): Promise<void> {
    while (!isStopped) {
      await delay(upMs, undefined, { ref: false })
      isUp = false
      for (const pair of pairs) cut(pair)
      await delay(downMs, undefined, { ref: false })
      isUp = true
    }
  }
  if (profile.flapping) void flap(profile.flapping)

  /** Every chunk takes its turn on the line, travels half a round trip, and arrives. */
  function carry(from: Socket, to: Socket, pair: [Socket, Socket], way: 'up' | 'down'): void {
    // Timers may come out of order: each delivers what is first. Null: the sender has ended.
    const onTheWay: (Buffer | null)[] = []
    let waitingBytes = 0
    const direction = directions[way]
    const arrive = () => {
      const chunk = onTheWay.shift() ?? null
      if (to.destroyed) return
      if (chunk === null) {
        to.end()
        return
      }
      waitingBytes -= chunk.length
      to.write(chunk)
      if (waitingBytes < windowOf(profile) && to.writableLength < windowBytes) from.resume()
    }
    const send = (chunk: Buffer | null) => {
      onTheWay.push(chunk)
      const now = performance.now()
      direction.freeAt = Math.max(direction.freeAt, now) + ((chunk?.length ?? 0) / profile.bytesPerSecond) * 1000
      const arrivesInMs = direction.freeAt - now + profile.roundTripMs / 2
      if (arrivesInMs < 1) arrive()
      else setTimeout(arrive, arrivesInMs)
    }
    from.on('data', (chunk: Buffer) => {
      counts[`${way}Bytes`] += chunk.length
      if (random() < (profile.breakPerMiB * chunk.length) / 2 ** 20) {
        cut(pair)
        return
      }
      waitingBytes += chunk.length
      if (waitingBytes >= windowOf(profile)) from.pause()
      send(chunk)
    })
    from.on('end', () => send(null))
    to.on('drain', () => from.resume())
  }

  return {
    async lead(port) {
      const server = createServer({ allowHalfOpen: true }, async (near) => {
        near.on('error', () => {})
        if (!isUp) {
          near.resetAndDestroy()
          return
        }
        near.pause()
        // The handshake takes a round trip, too.
        if (profile.roundTripMs > 0) await delay(profile.roundTripMs)
        const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
        far.on('error', () => near.destroy())
        const pair: [Socket, Socket] = [near, far]
        pairs.add(pair)
        near.on('close', () => {
          pairs.delete(pair)
          far.destroy()
        })
        far.on('close', () => near.destroy())
        carry(near, far, pair, 'up')
        carry(far, near, pair, 'down')
        near.resume()
      })
      servers.push(server)
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    },
    counts: () => ({ ...counts }),
    breakAnew() {
      random = chances(seed)
    },
    async stop() {
      isStopped = true
      for (const server of servers) server.close()
      for (const pair of pairs) for (const socket of pair) socket.destroy()
    },
  }
}

/** What one connection may have under way: enough to fill the line, as the windows of today's systems grow to. */
function windowOf({ bytesPerSecond, roundTripMs }: LineProfile): number {
  return Number.isFinite(bytesPerSecond) ? Math.max(windowBytes, (2 * bytesPerSecond * roundTripMs) / 1000) : 2 ** 22
}

/** Numbers in [0, 1), the same for the same seed: Lehmer's generator with the modulus 2³¹ − 1. */
function chances(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return (state - 1) / 2_147_483_646
  }
}
