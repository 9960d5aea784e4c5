import { type EndpointName, endpoints, type ProblemCode, ProblemDocument, problems } from '@partway/client/contract'
import { expect } from 'vitest'
import { problemsOf } from '../../server/http/openapi.ts'

/** Expects a well-formed problem of one of `codes`, documented for `endpoint` where one is named. Returns it. */
export async function expectProblem(
  response: Response,
  codes: ProblemCode | readonly ProblemCode[],
  endpoint?: EndpointName,
): Promise<ProblemDocument> {
  const text = await response.text()
  expect(response.headers.get('content-type'), text).toBe('application/problem+json; charset=utf-8')
  const problem = ProblemDocument.parse(JSON.parse(text))
  expect([codes].flat(), text).toContain(problem.code)
  expect(response.status).toBe(problems[problem.code].status)
  expect(problem).toMatchObject({ status: response.status, title: problems[problem.code].title })
  expect(problem.type.endsWith(`#${problem.code}`)).toBe(true)
  expect(problem.instance).toBe(response.headers.get('x-request-id'))
  expect(response.headers.get('cache-control')).toBe('no-store')
  if (endpoint) expect(problemsOf(endpoints[endpoint])).toContain(problem.code)
  return problem
}
