import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { authorize } from './authorize.ts'
import { CALLBACK_KEY_PATH } from './callback/callback-key.ts'
import type { CallbackSettings } from './callback/send-callback.ts'
import { corsHeaders } from './cors.ts'
import { applyReplyFaults, applyStartFaults, bodyFilters, ConnectionCut, clockOffsetMs } from './fault-effects.ts'
import type { FaultEffect, Faults } from './faults.ts'
import type { Store } from './files/store.ts'
import { findSignerKey, type Identities } from './identities.ts'
import { OssError } from './oss-error.ts'
import { type OssRequest, parseRequest } from './oss-request.ts'
import { endConnection, errorReply, sendReply } from './oss-response.ts'
import { createRequestBody } from './request-body.ts'
import type { RequestCounters } from './request-counters.ts'
import type { AddressingOptions } from './resolve-bucket.ts'
import { refuseUnreadable } from './unreadable-request.ts'
import type { OssReply, Permission, Verb } from './verb.ts'
import { routeVerb } from './verbs/route.ts'
import { verifySignature } from './verify-signature.ts'

export interface OssServerDeps extends AddressingOptions {
  readonly store: Store
  readonly identities: Identities
  readonly faults: Faults
  readonly requests: RequestCounters
  readonly accountId: string
  readonly signatureV1: boolean
  readonly bodyTimeoutMs: number
  readonly callbacks: CallbackSettings
  readonly now: () => Date
  readonly log: (message: string, fields: Record<string, unknown>) => void
}

/** The object storage: request → verify → authorize → verb → response, the same road for every verb. `idle` resolves when no
 *  request is being worked on; only then may the store be given up. */
export function createOssServer(deps: OssServerDeps): { server: Server; idle: () => Promise<void> } {
  // Tokens travel in URLs and headers. A long upload must not be cut by a limit on whole requests.
  const server = createServer({ maxHeaderSize: 64 * 1024, requestTimeout: 0, keepAliveTimeout: 65_000 })
  const active = new Set<Promise<void>>()
  const onRequest = (expectsContinue: boolean) => (incoming: IncomingMessage, response: ServerResponse) => {
    const isForKey = incoming.method === 'GET' && incoming.url === CALLBACK_KEY_PATH
    const answering = isForKey ? sendKey(deps, response) : answer(deps, incoming, response, expectsContinue)
    const work = answering.finally(() => active.delete(work))
    active.add(work)
  }
  server.on('request', onRequest(false))
  server.on('checkContinue', onRequest(true))
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseUnreadable(error, socket))
  return { server, idle: async () => void (await Promise.allSettled(active)) }
}

/** The public key of callbacks, which the service publishes on a host of its own. */
async function sendKey(deps: OssServerDeps, response: ServerResponse): Promise<void> {
  try {
    const pem = await deps.store.callbackKey.publicPem()
    response.writeHead(200, { 'Content-Type': 'application/x-pem-file' }).end(pem)
  } catch (error) {
    deps.log('internal error', { error: String(error) })
    response.writeHead(500).end()
  }
}

/** What is known of a request so far; each step on the road fills in more. */
interface Progress {
  readonly id: string
  readonly startedAtMs: number
  request?: OssRequest
  verb?: Verb
  effects: readonly FaultEffect[]
  now: Date
  readonly atEnd: Array<() => Promise<void>>
}

async function answer(
  deps: OssServerDeps,
  incoming: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
) {
  const id = randomBytes(12).toString('hex').toUpperCase()
  const progress: Progress = { id, startedAtMs: performance.now(), effects: [], now: deps.now(), atEnd: [] }
  // Lost connections show where the body is read and where the answer is written; here they only must not kill the process.
  incoming.on('error', () => undefined)
  response.on('error', () => undefined)
  let status = 0
  try {
    const reply = await travel(deps, progress, incoming, response, expectsContinue).catch((error) =>
      refuse(deps, progress, incoming, error),
    )
    status = await sendReply(response, incoming, withCommonHeaders(deps, progress, incoming, reply))
  } catch (error) {
    if (!(error instanceof ConnectionCut) && !response.destroyed)
      deps.log('answer not sent', { id, error: String(error) })
    endConnection(incoming, response)
  }
  for (const task of progress.atEnd) {
    await task().catch((error) => deps.log('internal error', { id, error: String(error) }))
  }
  if (progress.verb) deps.requests.answered(progress.verb.name, status)
  const { method = '' } = incoming
  deps.log('request', { id, method, verb: progress.verb?.name ?? null, key: progress.request?.key ?? null, status })
}

async function travel(
  deps: OssServerDeps,
  progress: Progress,
  incoming: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
): Promise<OssReply> {
  const request = parseRequest(deps, incoming, progress.id)
  progress.request = request
  const verb = routeVerb(request)
  progress.verb = verb
  deps.requests.received(verb.name)
  const effects = deps.faults.effectsFor(faultSubject(request, verb))
  progress.effects = effects
  await applyStartFaults(effects)
  const now = new Date(deps.now().getTime() + clockOffsetMs(effects))
  progress.now = now

  const { store, region, accountId, identities, signatureV1, callbacks } = deps
  const findKey = (keyId: string, token: string | undefined) => findSignerKey(identities, keyId, token, now)
  const identity = verb.isPublic ? null : verifySignature({ findKey, region, now, signatureV1 }, request)
  const demand = (...permissions: Permission[]) => authorize({ region, accountId, now }, request, identity, permissions)
  if (!verb.isPublic) demand(...verb.permissions(request))

  const bodyOptions = {
    idleTimeoutMs: deps.bodyTimeoutMs,
    expectsContinue,
    filters: bodyFilters(effects),
    corruptsStored: effects.some((effect) => effect.kind === 'corrupt' && effect.what === 'stored'),
  }
  const body = createRequestBody(bodyOptions, incoming, response)
  const atEnd = (task: () => Promise<void>) => void progress.atEnd.push(task)
  const reply = await verb.answer({ store, region, accountId, now, body, callbacks, demand, atEnd }, request)
  return applyReplyFaults(effects, reply)
}

/** A thrown value as an answer. Cut connections stay thrown. */
function refuse(deps: OssServerDeps, progress: Progress, incoming: IncomingMessage, error: unknown): OssReply {
  if (error instanceof ConnectionCut || incoming.socket.destroyed) throw error
  const place = { id: progress.id, host: incoming.headers.host ?? '', isHead: incoming.method === 'HEAD' }
  if (error instanceof OssError) return errorReply(place, error)
  deps.log('internal error', {
    id: progress.id,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })
  return errorReply(place, new OssError(500, 'InternalError', 'We encountered an internal error. Please try again.'))
}

function withCommonHeaders(
  deps: OssServerDeps,
  progress: Progress,
  incoming: IncomingMessage,
  reply: OssReply,
): OssReply {
  const { id, request, verb, now, startedAtMs } = progress
  const bucket = request?.bucket ? deps.store.buckets.find(request.bucket) : null
  const cors = verb?.isPublic ? {} : corsHeaders(bucket?.cors ?? null, incoming.headers.origin, incoming.method ?? '')
  return {
    ...reply,
    headers: {
      Server: 'AliyunOSS',
      Date: now.toUTCString(),
      'x-oss-request-id': id,
      'x-oss-server-time': String(Math.round(performance.now() - startedAtMs)),
      ...cors,
      ...reply.headers,
    },
  }
}

function faultSubject(request: OssRequest, verb: Verb) {
  const partNumber = Number(request.params.get('partNumber') ?? '')
  return {
    verb: verb.name,
    bucket: request.bucket,
    key: request.key,
    partNumber: Number.isInteger(partNumber) && partNumber > 0 ? partNumber : null,
    uploadId: request.params.get('uploadId') ?? null,
  }
}
