import { type Endpoint, type EndpointInput, endpoints } from '@partway/client/contract'
import type { Request, RequestHandler, Response, Router } from 'express'
import type { z } from 'zod'
import type { Answer, RequestContext } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import type { Authenticate } from './authenticate.ts'
import { inputErrors, MAX_INPUT_ERRORS } from './bad-input.ts'
import { hasBody, jsonOf, readBody, requireJson } from './json-body.ts'
import { toProblem } from './problem-handler.ts'
import { contextOf } from './request-context.ts'

/** Where endpoints are bound, and who tells callers apart. */
export interface Api {
  router: Router
  authenticate: Authenticate
}

type Caller<E extends Endpoint> = E extends { scope: string } ? Principal : null
type Handler<E extends Endpoint> = (
  principal: Caller<E>,
  input: EndpointInput<E>,
  context: RequestContext,
) => Promise<Answer>

type AsyncHandler = (...parameters: Parameters<RequestHandler>) => Promise<void>

const names = new Map<Endpoint, string>(Object.entries(endpoints).map(([name, endpoint]) => [endpoint, name]))

/**
 * Makes an endpoint of the contract an Express route, and is the only code that knows both. In order: who calls, and may they;
 * path, query and headers; then, and only for those who may, the body. The handler gets what the schemas made of it.
 */
export function bind<E extends Endpoint>(api: Api, endpoint: E, handler: Handler<E>, ...inBody: InBody<E>): void {
  const name = names.get(endpoint) ?? 'unknown'
  const method = endpoint.method.toLowerCase() as Lowercase<Endpoint['method']>

  const route: AsyncHandler = async (request, response) => {
    contextOf(response).endpoint = name
    const principal = endpoint.scope ? await api.authenticate(request, endpoint.scope) : null
    const head = parseHead(endpoint, request)
    const body = await parseBody(endpoint, request, response)
    const input = { ...head, body } as EndpointInput<E>
    send(response, await handler(principal as Caller<E>, input, contextOf(response)))
  }
  const [answerTo] = inBody as [answerTo?: (problem: Problem) => Answer]
  api.router[method](routePath(endpoint), answerTo ? withProblemsInBody(route, answerTo) : route)
}

/** For an endpoint whose problems stand in the body: how. */
type InBody<E extends Endpoint> = E extends { problemsInBody: true } ? [answerTo: (problem: Problem) => Answer] : []

function withProblemsInBody(route: AsyncHandler, answerTo: (problem: Problem) => Answer): RequestHandler {
  return async (request, response, next) => {
    try {
      await route(request, response, next)
    } catch (thrown) {
      const problem = toProblem(thrown)
      // The log has both, as for any other answer.
      if (problem.status >= 500) response.err = problem
      contextOf(response).problem = { code: problem.code }
      send(response, answerTo(problem))
    }
  }
}

/** `/v1/uploads/{id}` as Express writes it. */
export function routePath(endpoint: Pick<Endpoint, 'path'>): string {
  return endpoint.path.replace(/\{(\w+)\}/g, ':$1')
}

function parseHead(endpoint: Endpoint, request: Request) {
  const params = parse(endpoint.params, 'params', request.params)
  // An id that cannot exist is answered like one that does not.
  if (params.errors.length > 0 && endpoint.problems.includes('upload-not-found')) throw new Problem('upload-not-found')
  const query = parse(endpoint.query, 'query', request.query)
  const headers = parse(endpoint.headers, 'headers', request.headers)
  const errors = [...params.errors, ...query.errors, ...headers.errors]
  if (!endpoint.query && Object.keys(request.query).length > 0) {
    errors.push({ detail: 'This operation takes no query.', pointer: '/query' })
  }
  if (!endpoint.body && hasBody(request)) errors.push({ detail: 'This operation takes no body.', pointer: '/body' })
  if (errors.length > 0) throw badInput(errors)
  return { params: params.value, query: query.value, headers: headers.value }
}

async function parseBody(endpoint: Endpoint, request: Request, response: Response): Promise<unknown> {
  if (!endpoint.body) return undefined
  if (hasBody(request)) requireJson(request)
  const body = parse(endpoint.body, 'body', jsonOf(await readBody(request, response)))
  if (body.errors.length > 0) throw badInput(body.errors)
  return body.value
}

type InputErrors = ReturnType<typeof inputErrors>

function parse(schema: z.ZodType | undefined, place: string, value: unknown): { value: unknown; errors: InputErrors } {
  if (!schema) return { value: undefined, errors: [] }
  const parsed = schema.safeParse(value)
  return parsed.success
    ? { value: parsed.data, errors: [] }
    : { value: undefined, errors: inputErrors(place, parsed.error) }
}

function badInput(errors: InputErrors): Problem {
  return new Problem('invalid-request', undefined, { errors: errors.slice(0, MAX_INPUT_ERRORS) })
}

function send(response: Response, { status, body }: Answer): void {
  // Answers hold signed URLs and one caller's rows: nothing on the way may keep them.
  response.status(status).set('Cache-Control', 'no-store').json(body)
}
