import type { ProblemCode } from '@partway/client/contract'

interface ProblemFacts {
  /** Null: nothing came back. */
  status: number | null
  code: ProblemCode | null
  sentence: string
  requestId: string | null
  /** How long the server asks to be left alone; null where it does not say. */
  retryAfterMs: number | null
}

/** What the server answered in place of what was asked for, or that it did not answer. */
export class ReplyProblem extends Error {
  override readonly name = 'ReplyProblem'
  readonly status: number | null
  readonly code: ProblemCode | null
  readonly requestId: string | null
  readonly retryAfterMs: number | null

  constructor({ status, code, sentence, requestId, retryAfterMs }: ProblemFacts) {
    super(sentence)
    this.status = status
    this.code = code
    this.requestId = requestId
    this.retryAfterMs = retryAfterMs
  }
}

/** Reads an answer that is no success. What is no problem document is told by its status: a proxy may have spoken. */
export async function problemOf(response: Response): Promise<ReplyProblem> {
  const body: unknown = await response.json().catch(() => null)
  const text = (name: string) => {
    const value = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined
    return typeof value === 'string' && value !== '' ? value : null
  }
  // Titles have no full stop, details have one.
  const bare = (text('detail') ?? text('title') ?? `The server answered ${response.status}`).replace(/[.]$/, '')
  const faults = faultsOf(body)
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new ReplyProblem({
    status: response.status,
    code: text('code') as ProblemCode | null,
    sentence: faults === '' ? `${bare}.` : `${bare}: ${faults}.`,
    requestId: text('instance'),
    retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null,
  })
}

/** Of bad input, what is wrong where: `tenant must name one tenant; limit must be at most 200`. Otherwise empty. */
function faultsOf(body: unknown): string {
  const errors: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'errors') : undefined
  if (!Array.isArray(errors)) return ''
  const faults = errors.flatMap((error: unknown) => {
    const { detail, pointer } = Object(error) as { detail?: unknown; pointer?: unknown }
    if (typeof detail !== 'string') return []
    return [typeof pointer === 'string' ? `${pointer.split('/').at(-1)} ${detail}` : detail]
  })
  return faults.join('; ')
}

/** For whatever a call may throw, but for what the page itself gave up. */
export function asReplyProblem(error: unknown): ReplyProblem {
  if (error instanceof ReplyProblem) return error
  const sentence = 'The server cannot be reached.'
  return new ReplyProblem({ status: null, code: null, sentence, requestId: null, retryAfterMs: null })
}
