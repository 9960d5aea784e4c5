import { createUploadClient } from '@partway/client/node'
import type { Prepare } from '../support/contender-process.ts'

export interface ChatterInput {
  path: string
  partSizeBytes: number
  url: string
  token: string
}

/** What the SDK says to the server: by method and path, how often, and bytes of bodies. */
export type Chatter = Record<
  string,
  { requests: number; sentBytes: number; receivedBytes: number; largestReplyBytes: number }
>

/** An upload with the SDK's defaults, whose calls to the server are listened to. */
export const prepare: Prepare<ChatterInput, Chatter> = async ({ path, partSizeBytes, url, token }) => {
  const heard: Chatter = {}
  const listening: typeof fetch = async (input, init) => {
    const name = `${init?.method ?? 'GET'} ${new URL(String(input)).pathname.replace(/upl_[0-9a-f]+/, '{id}')}`
    const reply = await fetch(input, init)
    const replyBytes = (await reply.clone().arrayBuffer()).byteLength
    const calls = heard[name] ?? { requests: 0, sentBytes: 0, receivedBytes: 0, largestReplyBytes: 0 }
    heard[name] = calls
    calls.requests += 1
    calls.sentBytes += typeof init?.body === 'string' ? Buffer.byteLength(init.body) : 0
    calls.receivedBytes += replyBytes
    calls.largestReplyBytes = Math.max(calls.largestReplyBytes, replyBytes)
    return reply
  }
  const client = createUploadClient({ baseUrl: url, token: () => token, ports: { fetch: listening } })
  return async () => {
    await client.upload(path, { partSizeBytes }).done
    return heard
  }
}
