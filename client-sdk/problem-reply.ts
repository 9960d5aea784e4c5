import type { ProblemCode, ProblemDocument } from './contract/problem.ts'
import { ServiceException } from './errors.ts'
import { askedDelayMs } from './retry.ts'

/** The code for an answer without a problem document: a proxy's page, or a server that died half-way. */
function codeOfStatus(status: number): ProblemCode {
  if (status === 401) return 'unauthenticated'
  if (status === 403) return 'forbidden'
  if (status === 404) return 'not-found'
  if (status === 405) return 'method-not-allowed'
  if (status === 413) return 'payload-too-large'
  if (status === 429) return 'rate-limited'
  return status < 500 ? 'invalid-request' : 'internal'
}

/** The exception for an answer that is not success. Its words come from the problem document, which is safe to show. */
export function problemFromReply(
  response: { status: number; headers: { get(name: string): string | null } },
  text: string,
  serverNowMs: number,
): ServiceException<'server'> {
  const problem = parseProblem(text)
  const code = problem?.code ?? codeOfStatus(response.status)
  const details = problem?.errors?.map((error) => `${error.pointer} ${error.detail}`) ?? []
  const words = problem ? [problem.detail ?? problem.title, ...details].join('; ') : 'no problem document'
  return new ServiceException({
    from: 'server',
    status: response.status,
    code,
    message: `${words} (${code}, HTTP ${response.status})`,
    requestId: problem?.instance ?? response.headers.get('x-request-id') ?? undefined,
    problem,
    retryAfterMs: askedDelayMs((name) => response.headers.get(name), serverNowMs),
  })
}

function parseProblem(text: string): ProblemDocument | undefined {
  try {
    const value = JSON.parse(text) as Partial<ProblemDocument> | null
    if (typeof value?.code !== 'string' || typeof value.title !== 'string') return undefined
    const { errors, parts, detail, instance, ...rest } = value as ProblemDocument
    return {
      ...rest,
      ...(typeof detail === 'string' ? { detail } : {}),
      ...(typeof instance === 'string' ? { instance } : {}),
      ...(isListOf(errors, ['pointer', 'detail'], 'string') ? { errors } : {}),
      ...(isListOf(parts, ['partNumber'], 'number') ? { parts } : {}),
    }
  } catch {
    return undefined
  }
}

function isListOf<List>(list: List, names: string[], type: string): list is NonNullable<List> {
  const isItem = (item: Record<string, unknown> | null) => names.every((name) => typeof item?.[name] === type)
  return Array.isArray(list) && list.every(isItem)
}
