import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AssumedRole, assumeRole } from './assume-role.ts'
import { applyReplyFaults, applyStartFaults, ConnectionCut, clockOffsetMs } from './fault-effects.ts'
import type { Faults } from './faults.ts'
import type { Identities } from './identities.ts'
import { OssError } from './oss-error.ts'
import type { RequestCounters } from './request-counters.ts'
import { missingParameter, StsError } from './sts-error.ts'
import { createUsedNonces, type RpcParams, type UsedNonces, verifyRpcSignature } from './sts-signature.ts'

export interface StsServerDeps {
  readonly identities: Identities
  readonly faults: Faults
  readonly requests: RequestCounters
  readonly now: () => Date
  readonly log: (message: string, fields: Record<string, unknown>) => void
}

const MAX_BODY_BYTES = 64 * 1024

/** The security token service: AssumeRole, by GET with a query or POST with a form. */
export function createStsServer(deps: StsServerDeps): Server {
  const nonces = createUsedNonces()
  const server = createServer({ maxHeaderSize: 64 * 1024 })
  server.on('request', (incoming, response) => void answer(deps, nonces, incoming, response))
  server.on('clientError', (_, socket) => socket.destroy())
  return server
}

async function answer(deps: StsServerDeps, nonces: UsedNonces, incoming: IncomingMessage, response: ServerResponse) {
  const id = randomUUID().toUpperCase()
  incoming.on('error', () => undefined)
  response.on('error', () => undefined)
  try {
    const assumed = await travel(deps, nonces, incoming)
    send(response, 200, { RequestId: id, ...assumed })
  } catch (error) {
    if (error instanceof ConnectionCut) incoming.socket.destroy()
    else refuse(deps, id, incoming, response, error)
  }
  const action = response.destroyed ? 0 : response.statusCode
  deps.requests.answered('AssumeRole', action)
  deps.log('sts request', { id, method: incoming.method, status: action })
}

async function travel(deps: StsServerDeps, nonces: UsedNonces, incoming: IncomingMessage): Promise<AssumedRole> {
  const method = incoming.method ?? ''
  if (method !== 'GET' && method !== 'POST') throw new StsError(405, 'UnsupportedHTTPMethod', 'Use GET or POST.')
  const params = await readParams(incoming)
  const action = params.get('Action')
  if (!action) throw missingParameter('Action')
  deps.requests.received(action === 'AssumeRole' ? action : 'UnknownStsAction')
  const subject = { verb: action, bucket: null, key: null, partNumber: null, uploadId: null }
  const effects = deps.faults.effectsFor(subject)
  await applyStartFaults(effects)
  const now = new Date(deps.now().getTime() + clockOffsetMs(effects))
  if (params.get('Version') !== '2015-04-01') {
    throw new StsError(400, 'InvalidVersion', 'Specified parameter Version is not valid.')
  }
  const caller = verifyRpcSignature({ identities: deps.identities, nonces, now }, method, params)
  if (action !== 'AssumeRole') {
    throw new StsError(404, 'InvalidAction.NotFound', 'Specified api is not found, please check your url and method.')
  }
  const assumed = assumeRole({ identities: deps.identities, now }, caller, params)
  // A lost or replaced answer; the credentials are minted all the same.
  await applyReplyFaults(effects, { status: 200 })
  return assumed
}

/** Parameters of query and form together; a name given twice counts once, first come. */
async function readParams(incoming: IncomingMessage): Promise<RpcParams> {
  const url = incoming.url ?? '/'
  const queryAt = url.indexOf('?')
  const sources = [queryAt < 0 ? '' : url.slice(queryAt + 1)]
  if (incoming.method === 'POST') sources.push(await readForm(incoming))
  const params = new Map<string, string>()
  for (const source of sources) {
    for (const [name, value] of new URLSearchParams(source)) if (!params.has(name)) params.set(name, value)
  }
  return params
}

async function readForm(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    sizeBytes += (chunk as Buffer).length
    if (sizeBytes > MAX_BODY_BYTES) throw new StsError(413, 'RequestTooLarge', 'The request body is too large.')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function refuse(deps: StsServerDeps, id: string, incoming: IncomingMessage, response: ServerResponse, error: unknown) {
  // Fault rules speak the object storage's errors.
  const isKnown = error instanceof StsError || error instanceof OssError
  if (!isKnown) deps.log('internal error', { id, error: String(error) })
  const { status, code, message } = isKnown
    ? error
    : { status: 500, code: 'InternalError', message: 'The request processing has failed due to some unknown error.' }
  const HostId = incoming.headers.host ?? ''
  const Recommend = `https://api.aliyun.com/troubleshoot?q=${encodeURIComponent(code)}&product=Sts`
  send(response, status, { RequestId: id, HostId, Code: code, Message: message, Recommend })
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
  })
  response.end(text)
}
