import { type ProblemDocument, problems } from '@partway/client/contract'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import { isDatabaseUnavailable } from '../db/database-unavailable.ts'
import { Problem } from '../problem.ts'
import { contextOf } from './request-context.ts'

/** The problem as the wire shows it. `docsUrl` is the page that explains every code, at `#code`. */
export function problemDocument(problem: Problem, docsUrl: string, requestId: string): ProblemDocument {
  const { code, status, detail, errors, parts } = problem
  return {
    type: `${docsUrl}#${code}`,
    title: problems[code].title,
    status,
    ...(detail === undefined ? {} : { detail }),
    instance: requestId,
    code,
    ...(errors === undefined ? {} : { errors }),
    ...(parts === undefined ? {} : { parts }),
  }
}

/** Every thrown value as a Problem. What nobody foresaw is `internal`, and its cause stays in the log. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  if (isDatabaseUnavailable(thrown)) {
    return new Problem('database-unavailable', 'The database cannot be reached.', { cause: thrown })
  }
  return fromExpress(thrown) ?? new Problem('internal', undefined, { cause: thrown })
}

/** Express, its router and its body parser mark what the caller did wrong with a `status`; `type` says what. */
function fromExpress(thrown: unknown): Problem | null {
  if (!(thrown instanceof Error)) return null
  const { status, type } = thrown as { status?: unknown; type?: unknown }
  if (status === 413)
    return new Problem('payload-too-large', 'A request body may have at most 1 MiB.', { cause: thrown })
  if (status === 415) return new Problem('unsupported-media-type', 'Send the body uncompressed.', { cause: thrown })
  if (status !== 400) return null
  if (thrown instanceof URIError) {
    return new Problem('invalid-request', 'The path is not validly percent-encoded.', { cause: thrown })
  }
  const detail = type === 'request.aborted' ? 'The request broke off.' : 'The request body cannot be read.'
  return new Problem('invalid-request', detail, { cause: thrown })
}

/** For requests that met no route. */
export const nothingHere: RequestHandler = () => {
  throw new Problem('not-found')
}

/** Last in line: answers every thrown value as RFC 9457 problem details. `docsUrl` is computed per request, for the mount path. */
export function problemHandler(docsUrl: (mountPath: string) => string): ErrorRequestHandler {
  return (thrown, request, response, next) => {
    const problem = toProblem(thrown)
    if (problem.status >= 500) response.err = problem
    if (response.headersSent) return next(thrown)
    const context = contextOf(response)
    const reason = problem.status === 401 && problem.cause instanceof Error ? problem.cause.message : undefined
    context.problem = { code: problem.code, ...(reason === undefined ? {} : { reason }) }
    if (problem.retryAfterSeconds !== undefined)
      response.set('Retry-After', String(Math.ceil(problem.retryAfterSeconds)))
    if (problem.status === 401) response.set('WWW-Authenticate', 'Bearer')
    response
      .status(problem.status)
      .set('Cache-Control', 'no-store')
      .type('application/problem+json')
      .send(JSON.stringify(problemDocument(problem, docsUrl(request.baseUrl), context.requestId)))
  }
}
