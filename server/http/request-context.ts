import { randomUUID } from 'node:crypto'
import type { ProblemCode } from '@partway/client/contract'
import type { Request, RequestHandler, Response } from 'express'
import { pinoHttp } from 'pino-http'
import type { RequestContext } from '../deps.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { loggedPath } from './logged-path.ts'

/** What is known of a request besides what its caller sent. */
interface Known extends RequestContext {
  /** Name of the endpoint it met, for metrics and the log; set by bind. */
  endpoint: string
  /** Set when the answer is a problem: its code, and for the log alone why a token was refused. */
  problem?: { code: ProblemCode; reason?: string }
}

const contexts = new WeakMap<Response, Known>()

/** The context of the request that `response` answers. */
export function contextOf(response: Response): Known {
  const context = contexts.get(response)
  if (!context) throw new Error('the request did not pass through requestContext')
  return context
}

/** The status of requests whose caller left before the answer, in log and metrics; nginx's number for it. */
const HUNG_UP = 499

/** Characters that need no escaping in headers, log lines and URLs. */
const saneRequestId = /^[A-Za-z0-9._-]{1,128}$/

/**
 * Gives each request its id (the caller's X-Request-Id if it is sane), a logger that carries it, and a signal that fires when the caller
 * hangs up. Writes one log line and one metric per answer; never a body, a query or a header.
 */
export function requestContext(log: Logger, metrics: Metrics): RequestHandler[] {
  const logRequest = pinoHttp({
    logger: log,
    genReqId: (request, response) => {
      const sent = request.headers['x-request-id']
      const id = typeof sent === 'string' && saneRequestId.test(sent) ? sent : randomUUID()
      response.setHeader('X-Request-Id', id)
      return id
    },
    quietReqLogger: true,
    customAttributeKeys: { reqId: 'requestId' },
    serializers: {
      req: ({ method, url, raw }: { method: string; url: string; raw: Request }) => ({
        method,
        path: loggedPath(url, raw.baseUrl),
        // Behind proxies, the caller's address as far as TRUST_PROXY believes them.
        ip: raw.ip,
      }),
      res: ({ statusCode, raw }: { statusCode: number; raw: Response }) => ({
        status: raw.headersSent ? statusCode : HUNG_UP,
      }),
    },
    customProps: (_request, response) => {
      const { endpoint, problem } = contexts.get(response as Response) ?? {}
      return { endpoint, problem }
    },
    customLogLevel: (request, response) => {
      if (response.statusCode >= 500) return 'error'
      return /\/(healthz|readyz|metrics)$/.test(request.url ?? '') ? 'debug' : 'info'
    },
    customSuccessMessage: (_request, response) => (response.headersSent ? 'answered' : 'the caller hung up'),
    customErrorMessage: () => 'failed',
  })

  const remember: RequestHandler = (request, response, next) => {
    const startedAt = process.hrtime.bigint()
    const hangUp = new AbortController()
    const context: Known = {
      signal: hangUp.signal,
      log: request.log,
      requestId: String(request.id),
      endpoint: 'unknown',
      reachedAt: request.host ? `${request.protocol}://${request.host}${request.baseUrl}` : request.baseUrl,
    }
    contexts.set(response, context)
    response.once('close', () => {
      if (!response.writableFinished) hangUp.abort()
      const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9
      metrics.requestAnswered(context.endpoint, response.headersSent ? response.statusCode : HUNG_UP, seconds)
    })
    next()
  }
  return [logRequest, remember]
}
