import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type EndpointName, endpoints, type Reply } from '@partway/client/contract'

/** A request as the contract reads it. */
interface ScriptedRequest {
  // biome-ignore lint/suspicious/noExplicitAny: tests look into requests of every shape, and assert what they find.
  query: any
  // biome-ignore lint/suspicious/noExplicitAny: the same.
  body: any
}

type Script = { [Name in EndpointName]?: (request: ScriptedRequest) => Reply<Name> | Promise<Reply<Name>> }

export interface ScriptedServer {
  url: string
  /** What came in, in order. */
  requests: ({ name: EndpointName } & ScriptedRequest)[]
  close(): Promise<void>
}

/** A server that says what a test wants it to, for what the real one cannot be brought to say. It is as strict as the contract in both
 *  directions: a request or an answer that is none ends in 500. An endpoint without a script answers 503. */
export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const requests: ScriptedServer['requests'] = []

  async function answer(request: IncomingMessage): Promise<[status: number, body: unknown]> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
    const names = Object.keys(endpoints) as EndpointName[]
    const name = names.find((one) => endpoints[one].path === pathname && endpoints[one].method === request.method)
    const play = name && (script[name] as ((request: ScriptedRequest) => unknown) | undefined)
    if (!name || !play) return [503, { type: 'x', title: 'Down', status: 503, code: 'storage-unavailable' }]
    const { query, body, replies } = { query: undefined, body: undefined, ...endpoints[name] }
    const raw = await text(request)
    const asked = {
      query: query?.parse(Object.fromEntries(searchParams)),
      body: body?.parse(JSON.parse(raw)),
    }
    requests.push({ name, ...asked })
    const [[status, reply]] = Object.entries(replies) as [[string, { parse(value: unknown): unknown }]]
    return [Number(status), reply.parse(await play(asked))]
  }

  const server = createServer((request, response) => {
    void answer(request)
      .catch((error): [number, unknown] => [500, { error: String(error) }])
      .then(([status, body]) => response.writeHead(status).end(JSON.stringify(body)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
