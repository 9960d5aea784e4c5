import type { Endpoints, Reply, RequestBody, RequestQuery } from '@partway/client/contract'
import type { TokenVerdict } from '../shared/sign-in-form.ts'
import { problemOf } from './reply-problem.ts'

type AdminOperation =
  | 'getSummary'
  | 'listAdminUploads'
  | 'getAdminUpload'
  | 'abortUploads'
  | 'sweepUploads'
  | 'listSweeps'
  | 'listOrphans'
  | 'resolveOrphans'
  | 'getLifecycle'
  | 'mergeLifecycle'
  | 'getCors'
  | 'getTenant'
  | 'updateTenant'
  | 'listEvents'

/** The compiler holds these against the contract, whose values (schemas) the page does not carry. */
const operations = {
  getSummary: ['GET', '/v1/admin/summary'],
  listAdminUploads: ['GET', '/v1/admin/uploads'],
  getAdminUpload: ['GET', '/v1/admin/uploads/{id}'],
  abortUploads: ['POST', '/v1/admin/uploads/abort'],
  sweepUploads: ['POST', '/v1/admin/sweep'],
  listSweeps: ['GET', '/v1/admin/sweeps'],
  listOrphans: ['GET', '/v1/admin/orphans'],
  resolveOrphans: ['POST', '/v1/admin/orphans/resolve'],
  getLifecycle: ['GET', '/v1/admin/lifecycle'],
  mergeLifecycle: ['PUT', '/v1/admin/lifecycle'],
  getCors: ['GET', '/v1/admin/cors'],
  getTenant: ['GET', '/v1/admin/tenants/{tenant}'],
  updateTenant: ['PATCH', '/v1/admin/tenants/{tenant}'],
  listEvents: ['GET', '/v1/admin/events'],
} as const satisfies { [Name in AdminOperation]: readonly [Endpoints[Name]['method'], Endpoints[Name]['path']] }

interface CallOptions<Name extends AdminOperation> {
  /** What stands for the braces of the path. */
  id?: string
  query?: RequestQuery<Name>
  body?: RequestBody<Name>
  signal?: AbortSignal
}

/** The server's administration, as whoever is signed in. */
export interface AdminApi {
  /** Throws {@link ReplyProblem}, what `fetch` throws, or the reason of `signal`. */
  call<Name extends AdminOperation>(name: Name, options?: CallOptions<Name>): Promise<Reply<Name>>
  /** What the server makes of `token`, asked once. */
  check(token: string): Promise<TokenVerdict>
  signIn(token: string): void
  signOut(): void
  /** The server's clock in ms, as far as it is known: a few hundred ms beside the truth, and never minutes as a desk's clock may be. */
  now(): number
}

const timeoutMs = 60_000

/** The token lives in this closure and nowhere else. `onRefused`: the server does not take it (401). */
export function createAdminApi({ baseUrl, onRefused }: { baseUrl: string; onRefused: () => void }): AdminApi {
  let current: string | undefined
  let clockOffsetMs = 0

  async function send(name: AdminOperation, token: string, options: CallOptions<AdminOperation>): Promise<Response> {
    const [method, path] = operations[name]
    const url = new URL(path.slice(1).replace(/\{\w+\}/, encodeURIComponent(options.id ?? '')), baseUrl)
    for (const [key, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(key, value)
    }
    const timeout = AbortSignal.timeout(timeoutMs)
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
      cache: 'no-store',
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    })
    const told = Date.parse(response.headers.get('date') ?? '')
    // The header has whole seconds: less than two beside it is no difference.
    const offsetMs = told - Date.now()
    if (Number.isFinite(offsetMs)) clockOffsetMs = Math.abs(offsetMs) < 2000 ? 0 : offsetMs
    return response
  }

  return {
    async call<Name extends AdminOperation>(name: Name, options: CallOptions<Name> = {}): Promise<Reply<Name>> {
      const token = current
      if (token === undefined) throw new DOMException('nobody is signed in', 'AbortError')
      const response = await send(name, token, options as CallOptions<AdminOperation>)
      if (response.ok) return (await response.json()) as Reply<Name>
      // A late answer about a token that was changed meanwhile says nothing about the present one.
      if (response.status === 401 && current === token) onRefused()
      throw await problemOf(response)
    },
    async check(token) {
      try {
        const { status } = await send('listEvents', token, { query: { limit: '1' } })
        if (status === 401) return 'refused'
        if (status === 403) return 'not-allowed'
        return status === 200 ? 'taken' : 'unknown'
      } catch {
        return 'unknown'
      }
    },
    signIn(token) {
      current = token
    },
    signOut() {
      current = undefined
    },
    now: () => Date.now() + clockOffsetMs,
  }
}
