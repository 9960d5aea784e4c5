import express, { type Express } from 'express'
import type { Deps } from './deps.ts'
import { createAuthenticate } from './http/authenticate.ts'
import { baseUrlOf, docs } from './http/docs.ts'
import { operations } from './http/operations.ts'
import { ossCallbacks } from './http/oss-callback.ts'
import { nothingHere, problemHandler } from './http/problem-handler.ts'
import { allowOrigins, securityHeaders } from './http/protect.ts'
import { requestContext } from './http/request-context.ts'
import { routes } from './http/routes.ts'
import { createTokenVerifier } from './http/verify-token.ts'
import { webPages } from './http/web-pages.ts'

export interface AppOptions {
  /** Whether the server is shutting down: /readyz then says so, and load balancers look elsewhere. By default never. */
  isDraining?: () => boolean
  /** Where the built web pages are; by default where this package's build puts them. */
  pagesDirectory?: string
}

/**
 * The server as an Express app. Opens no socket and starts nothing: listen with it, or mount it under any path of your own app.
 * It answers every path below its own, also with 404, and never passes a request or an error on to the app around it.
 */
export function createApp(deps: Deps, { isDraining = () => false, pagesDirectory }: AppOptions = {}): Express {
  const { config } = deps
  const docsUrl = (mountPath: string) => `${baseUrlOf(config, mountPath)}/docs`
  const authenticate = createAuthenticate(createTokenVerifier(config, deps.now))

  const app = express()
  app.disable('x-powered-by')
  // Answers are not to be kept, so there is nothing to compare.
  app.disable('etag')
  app.set('query parser', 'simple')
  if (config.http.trustProxy !== null) app.set('trust proxy', config.http.trustProxy)
  app.use(requestContext(deps.log, deps.metrics))
  app.use(securityHeaders())
  app.use(allowOrigins(config.http.corsOrigins))
  app.use(operations(deps, { docsUrl, isDraining }))
  app.use(docs(config))
  app.use(ossCallbacks(deps))
  if (config.webPages) app.use(webPages(config, pagesDirectory))
  app.use(routes(deps, authenticate))
  app.use(nothingHere)
  app.use(problemHandler(docsUrl))
  return app
}
