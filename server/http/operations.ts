import { timingSafeEqual } from 'node:crypto'
import { type Request, Router } from 'express'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { bearerToken } from './authenticate.ts'
import { refuseOtherMethods } from './other-methods.ts'
import { problemDocument, toProblem } from './problem-handler.ts'
import { createReadiness } from './readiness.ts'
import { contextOf } from './request-context.ts'

/** What operators and their tools ask: is the process alive, can it serve, what has it counted. Open without a token but for metrics. */
export function operations(
  deps: Deps,
  options: { docsUrl: (mountPath: string) => string; isDraining: () => boolean },
): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const readiness = createReadiness(deps)

  router.get('/healthz', (_request, response) => {
    contextOf(response).endpoint = 'healthz'
    response.set('Cache-Control', 'no-store').json({ status: 'ok' })
  })

  router.get('/readyz', async (request, response) => {
    contextOf(response).endpoint = 'readyz'
    const { checks, failure } = await readiness()
    response.set('Cache-Control', 'no-store')
    if (!failure) {
      if (options.isDraining()) response.status(503).json({ status: 'stopping', checks })
      else response.json({ status: 'ready', checks })
      return
    }
    const problem = toProblem(failure)
    response.err = problem
    const document = problemDocument(problem, options.docsUrl(request.baseUrl), contextOf(response).requestId)
    // Whatever failed, tools look for 503.
    response.status(503).type('application/problem+json')
    response.send(JSON.stringify({ ...document, checks }))
  })

  router.get('/metrics', async (request, response) => {
    contextOf(response).endpoint = 'metrics'
    requireMetricsAccess(request, deps.config.http.metricsToken)
    const { text, contentType } = await deps.metrics.expose()
    response.set('Cache-Control', 'no-store').type(contentType).send(text)
  })

  refuseOtherMethods(
    router,
    ['/healthz', '/readyz', '/metrics'].map((path) => ({ method: 'GET', path }) as const),
  )
  return router
}

/** Open to processes on this machine that came here directly, and to holders of METRICS_TOKEN. Throws `unauthenticated` or `forbidden`. */
function requireMetricsAccess(request: Request, metricsToken: string | null): void {
  if (isDirectFromLoopback(request)) return
  if (metricsToken === null)
    throw new Problem('forbidden', 'Metrics are open on loopback only: no METRICS_TOKEN is set.')
  const given = Buffer.from(bearerToken(request.headers.authorization))
  const wanted = Buffer.from(metricsToken)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new Problem('unauthenticated', 'The metrics token is not valid.')
  }
}

/**
 * Looks at the socket, never at what headers claim: `request.ip` is the caller's to choose where TRUST_PROXY is wrong. A proxy on
 * this machine connects from loopback too, but gives itself away by what it adds.
 */
function isDirectFromLoopback(request: Request): boolean {
  const address = request.socket.remoteAddress ?? ''
  const isLoopback = /^(::ffff:)?127\./.test(address) || address === '::1'
  return isLoopback && !proxyHeaders.some((name) => name in request.headers)
}
const proxyHeaders = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']
