import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { WebhookMessage } from '@partway/client/contract'

export interface ReceivedMessage {
  headers: IncomingHttpHeaders
  raw: string
  message: WebhookMessage
  url: string
}

export interface WebhookReceiver {
  port: number
  /** With a token in its query, as such URLs have. */
  url: string
  received: ReceivedMessage[]
  /** Connections that were opened, whether or not anything was sent. */
  connections(): number
  /** Answers from now on; by default 204. */
  answer(how: (response: ServerResponse, received: ReceivedMessage) => void): void
  close(): Promise<void>
}

export const WEBHOOK_TOKEN = 'the-token-in-the-url-of-all-webhooks'

const answer204 = (response: ServerResponse) => void response.writeHead(204).end()

/** An operator's webhook on this machine. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: ReceivedMessage[] = []
  let answer: (response: ServerResponse, received: ReceivedMessage) => void = answer204
  let connections = 0
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const raw = Buffer.concat(chunks).toString('utf8')
    const one = { headers: request.headers, raw, message: raw === '' ? null : JSON.parse(raw), url: request.url ?? '' }
    received.push(one)
    answer(response, one)
  })
  server.on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}/events?token=${WEBHOOK_TOKEN}`,
    received,
    connections: () => connections,
    answer(how) {
      answer = how
    },
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
