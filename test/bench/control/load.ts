import { Pool } from 'undici'
import type { Prepare } from '../support/contender-process.ts'

/** Requests to send, so many at once, each as soon as there is a connection for it. */
export interface LoadInput {
  origin: string
  connections: number
  requests: { method: 'GET' | 'POST' | 'PUT'; path: string; headers: Record<string, string>; body?: string }[]
  wanted: number
}

export interface LoadResult {
  seconds: number
  /** Of each request, in ms. */
  latenciesMs: number[]
  /** The JSON of each reply, for who needs it. */
  bodies: string[]
}

/** Sends them all. Rejects when one is answered otherwise than `wanted`. */
export const prepare: Prepare<LoadInput, LoadResult> = async ({ origin, connections, requests, wanted }) => {
  const pool = new Pool(origin, { connections, pipelining: 1 })
  return async () => {
    const latenciesMs: number[] = []
    const bodies: string[] = []
    const queue = requests.entries()
    const sendSome = async () => {
      for (const [index, request] of queue) {
        const startedAt = performance.now()
        const reply = await pool.request(request)
        const text = await reply.body.text()
        latenciesMs.push(performance.now() - startedAt)
        if (reply.statusCode !== wanted) throw new Error(`${request.path}: ${reply.statusCode} ${text.slice(0, 200)}`)
        bodies[index] = text
      }
    }
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: connections }, sendSome))
    return { seconds: (performance.now() - startedAt) / 1000, latenciesMs, bodies }
  }
}
