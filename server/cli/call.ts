import {
  type EndpointName,
  endpoints,
  ProblemDocument,
  type Reply,
  type RequestBody,
  type RequestParams,
  type RequestQuery,
} from '@partway/client/contract'
import { CommandFailure, exitCode } from './exit-code.ts'
import { findSession, type Session } from './session.ts'

const TIMEOUT_MS = 60_000

/** What an endpoint of the contract takes: its path's parameters and body where it has them; every query may be left out. */
export type CallInput<Name extends EndpointName> = ([RequestParams<Name>] extends [undefined]
  ? unknown
  : { params: RequestParams<Name> }) &
  ([RequestBody<Name>] extends [undefined] ? unknown : { body: RequestBody<Name> }) &
  ([RequestQuery<Name>] extends [undefined] ? unknown : { query?: RequestQuery<Name> })

interface LooseInput {
  params?: Record<string, string>
  query?: Record<string, string | undefined>
  body?: unknown
}

/** Calls one endpoint for a command and returns its reply. `signal` gives the request up, with exit code `paused`.
 *  Throws CommandFailure with a message for people. */
export async function call<Name extends EndpointName>(
  name: Name,
  input: CallInput<Name>,
  session?: Session,
  signal?: AbortSignal,
): Promise<Reply<Name>> {
  const { baseUrl, token } = session ?? (await findSession())
  const { method, path, replies } = endpoints[name]
  const { params = {}, query = {}, body } = input as LooseInput
  const filled = path.replace(/\{(\w+)\}/g, (_, param: string) => encodeURIComponent(params[param] ?? ''))
  const url = new URL(baseUrl + filled)
  for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, value)
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${await token()}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  }).catch((error: unknown) => {
    if (signal?.aborted) throw new CommandFailure(exitCode.paused, 'Interrupted.', error)
    if (timeout.aborted) throw new CommandFailure(exitCode.unreachable, `${baseUrl} did not answer in time.`, error)
    throw new CommandFailure(exitCode.unreachable, `${baseUrl} cannot be reached. Is the server running?`, error)
  })
  const answer: unknown = await response.json().catch(() => null)
  if (signal?.aborted) throw new CommandFailure(exitCode.paused, 'Interrupted.')
  const schema = (replies as Record<number, { safeParse(value: unknown): { success: boolean; data?: unknown } }>)[
    response.status
  ]
  const parsed = schema?.safeParse(answer)
  if (parsed?.success) return parsed.data as Reply<Name>
  throw failureOf(response.status, answer)
}

function failureOf(status: number, body: unknown): CommandFailure {
  const problem = ProblemDocument.safeParse(body)
  const code =
    status === 401 || status === 403 ? exitCode.unauthorized : status === 503 ? exitCode.unreachable : exitCode.failed
  if (!problem.success) return new CommandFailure(code, `The server answered ${status} with something unexpected.`)
  const { title, detail, errors = [] } = problem.data
  const lines = errors.map((error) => `  ${error.pointer} ${error.detail}`)
  return new CommandFailure(code, [detail ? `${title}: ${detail}` : title, ...lines].join('\n'))
}
