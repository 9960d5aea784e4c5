import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { z } from 'zod'
import type { FaultRule, Faults } from './faults.ts'
import type { RequestCounters } from './request-counters.ts'

const milliseconds = z.int().min(0).max(600_000)
const names = z.string().min(1).max(1024)

const effectSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('answer'),
    status: z.int().min(400).max(599),
    code: names,
    message: z.string().max(1024).optional(),
    at: z.enum(['start', 'after-commit']).optional(),
    headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string().regex(/^[\x20-\x7e]*$/)).optional(),
  }),
  z.strictObject({ kind: z.literal('throttle'), delayMs: milliseconds }),
  z.strictObject({ kind: z.literal('delay'), delayMs: milliseconds, at: z.enum(['start', 'reply']).optional() }),
  z.strictObject({
    kind: z.literal('cut'),
    at: z.enum(['start', 'body', 'reply']),
    afterBytes: z.int().min(0).optional(),
  }),
  z.strictObject({ kind: z.literal('empty-body') }),
  z.strictObject({ kind: z.literal('error-in-body'), code: names, message: z.string().max(1024).optional() }),
  z.strictObject({ kind: z.literal('corrupt'), what: z.enum(['received', 'stored', 'etag', 'crc64']) }),
  z.strictObject({ kind: z.literal('clock'), offsetMs: z.int() }),
])

const ruleSchema = z.strictObject({
  match: z
    .strictObject({
      verb: z.union([names, z.array(names)]).optional(),
      bucket: names.optional(),
      key: names.optional(),
      partNumber: z.union([z.int(), z.array(z.int())]).optional(),
      uploadId: names.optional(),
    })
    .optional(),
  after: z.int().min(0).optional(),
  times: z.int().min(1).optional(),
  probability: z.number().min(0).max(1).optional(),
  effect: effectSchema,
})

/** Faults and counters over HTTP, for tests in other processes: `GET`/`POST`/`DELETE /faults`, `DELETE /faults/<id>`,
 *  `GET`/`DELETE /requests`, `GET /answers`. It asks for no key, so it is off unless a port is given. */
export function createControlServer(deps: { faults: Faults; requests: RequestCounters }): Server {
  return createServer((incoming, response) => {
    incoming.on('error', () => undefined)
    answer(deps, incoming).then(
      ([status, body]) => send(response, status, body),
      (error: unknown) => send(response, 400, { error: error instanceof Error ? error.message : String(error) }),
    )
  })
}

async function answer(
  { faults, requests }: { faults: Faults; requests: RequestCounters },
  incoming: IncomingMessage,
): Promise<[status: number, body: unknown]> {
  const [, collection, id] = (incoming.url ?? '/').split('?')[0]?.split('/') ?? []
  switch (`${incoming.method} ${collection}${id ? '/:id' : ''}`) {
    case 'GET faults':
      return [200, { seed: faults.seed, rules: faults.list() }]
    case 'POST faults':
      return [201, { id: faults.add(ruleSchema.parse(JSON.parse(await readText(incoming))) as FaultRule) }]
    case 'DELETE faults':
      faults.clear()
      return [200, {}]
    case 'DELETE faults/:id':
      return faults.remove(id ?? '') ? [200, {}] : [404, { error: 'no such rule' }]
    case 'GET requests':
      return [200, requests.all()]
    case 'GET answers':
      return [200, requests.allAnswered()]
    case 'DELETE requests':
      requests.reset()
      return [200, {}]
    default:
      return [404, { error: 'not found' }]
  }
}

async function readText(incoming: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of incoming.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk
    if (text.length > 65_536) throw new Error('the rule is too long')
  }
  return text
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}
