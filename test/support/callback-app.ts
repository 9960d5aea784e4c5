import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A callback as an application got it. */
export interface ReceivedCallback {
  httpVersion: string
  target: string
  headers: IncomingMessage['headers']
  body: string
}

export interface CallbackApp {
  /** Without a slash at its end. */
  url: string
  received: ReceivedCallback[]
  /** By default 200 with `{"Status":"OK"}`. Runs when the whole request is there. */
  answer: (response: ServerResponse, callback: ReceivedCallback) => void
  close(): Promise<void>
}

/** An application that OSS sends callbacks to. */
export async function startCallbackApp(): Promise<CallbackApp> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { httpVersion, url = '', headers } = request
      const callback = { httpVersion, target: url, headers, body: Buffer.concat(chunks).toString('utf8') }
      app.received.push(callback)
      app.answer(response, callback)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const app: CallbackApp = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: [],
    answer: (response) => answerJson(response, { Status: 'OK' }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return app
}

export function answerJson(response: ServerResponse, value: unknown, status = 200): void {
  const body = JSON.stringify(value)
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    .end(body)
}
