import { type EndpointName, endpoints, ProblemDocument, type Reply } from '@partway/client/contract'
import { CommandFailure, exitCode } from './exit-code.ts'
import { findSession, type Session } from './session.ts'

const TIMEOUT_MS = 60_000

/** Calls one endpoint for a command and returns its reply. Throws CommandFailure with a message for people. */
export async function call<Name extends EndpointName>(
  name: Name,
  input: { id?: string; query?: Record<string, string> } = {},
  session?: Session,
): Promise<Reply<Name>> {
  const { baseUrl, token } = session ?? (await findSession())
  const { method, path, replies } = endpoints[name]
  const url = new URL(baseUrl + path.replace('{id}', encodeURIComponent(input.id ?? '')))
  for (const [key, value] of Object.entries(input.query ?? {})) url.searchParams.set(key, value)
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${await token()}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw new CommandFailure(exitCode.unreachable, `${baseUrl} cannot be reached. Is the server running?`, error)
  })
  const body: unknown = await response.json().catch(() => null)
  const schema = (replies as Record<number, { safeParse(value: unknown): { success: boolean; data?: unknown } }>)[
    response.status
  ]
  const parsed = schema?.safeParse(body)
  if (parsed?.success) return parsed.data as Reply<Name>
  throw failureOf(response.status, body)
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
