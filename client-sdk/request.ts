import { linkSignals } from './abort-link.ts'
import type { BearerToken } from './bearer-token.ts'
import type { Clock, ServerClock } from './clock.ts'
import { ClientException, ServiceException } from './errors.ts'
import type { ExplainFailure } from './explain-failure.ts'
import type { LineNews } from './line-news.ts'
import { problemFromReply } from './problem-reply.ts'
import { isTransient, type RetryPolicy } from './retry.ts'
import { createRetryStreak, type RetryNotice } from './retry-streak.ts'

/** What may be said about a single call. */
export interface CallOptions {
  /** Drops the call, which then throws the signal's reason. */
  signal?: AbortSignal | undefined
  /** For one attempt, by default 30 s. */
  timeoutMs?: number | undefined
  /** By default the client's. */
  retry?: RetryPolicy | undefined
  /** Called before each wait for another attempt. */
  onRetry?: ((notice: RetryNotice) => void) | undefined
  /** The request may outlive the page that makes it: for what has to be said while leaving. At most 64 KiB. */
  keepalive?: boolean | undefined
}

export interface ServerRequest extends CallOptions {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Begins with `/v1/`. */
  path: string
  query?: Record<string, string | number | boolean | undefined> | undefined
  headers?: Record<string, string> | undefined
  body?: unknown
}

export interface RequestDeps {
  baseUrl: string
  token: BearerToken
  fetch: typeof fetch
  clock: Clock
  serverClock: ServerClock
  news: LineNews
  retry: RetryPolicy
  onRetry?: ((notice: RetryNotice) => void) | undefined
  explainFailure?: ExplainFailure | undefined
}

const defaultTimeoutMs = 30_000

/**
 * The one way to the server: base URL, token, time limit, retries, problem → exception. Every endpoint may be called twice with the
 * same effect, so a lost answer is simply asked for again. Throws ServiceException for an answer that is not success,
 * ClientException `network`, `timeout`, `invalid-reply`, those of {@link BearerToken}, or whatever `signal` aborts with.
 */
export async function request<Reply>(deps: RequestDeps, call: ServerRequest): Promise<{ status: number; body: Reply }> {
  const onRetry = call.onRetry ?? deps.onRetry
  const streak = createRetryStreak(deps.clock, call.retry ?? deps.retry, 'server', onRetry, deps.news)
  let mayRefreshToken = true
  let networkFailures = 0
  for (;;) {
    call.signal?.throwIfAborted()
    const timeoutMs = call.timeoutMs ?? defaultTimeoutMs
    const token = await streak.aside(async () => {
      await deps.clock.online(call.signal)
      return deps.token.get({ signal: call.signal, timeoutMs })
    })
    const askedAtMs = deps.clock.nowMs()
    try {
      const reply = await attempt<Reply>(deps, call, token, timeoutMs)
      deps.news.back('server')
      return reply
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason
      if (error instanceof ServiceException) {
        if (!isTransient(error)) deps.news.back('server')
        if (error.status === 401 && mayRefreshToken) {
          mayRefreshToken = false
          deps.token.refuse(token)
        } else await streak.waitOrThrow(error, error, call.signal)
      } else if (error instanceof ClientException && (error.code === 'network' || error.code === 'timeout')) {
        networkFailures += 1
        // Past its time limit no attempt takes time: the machine slept.
        streak.leaveOut(Math.max(0, deps.clock.nowMs() - askedAtMs - timeoutMs))
        const reason =
          networkFailures === 2
            ? await deps.explainFailure?.(urlOf(deps.baseUrl, call), 'server', call.signal)
            : undefined
        if (reason) throw reason
        await streak.waitOrThrow(error, { isUnanswered: true }, call.signal)
      } else throw error
    }
  }
}

async function attempt<Reply>(deps: RequestDeps, call: ServerRequest, token: string, timeoutMs: number) {
  const url = urlOf(deps.baseUrl, call)
  const body = call.body === undefined ? undefined : JSON.stringify(call.body)
  const link = linkSignals(call.signal)
  const timer = setTimeout(
    () => link.abort(new ClientException('timeout', `The server did not answer within ${timeoutMs / 1000} s`)),
    timeoutMs,
  )
  const askedAtMs = deps.clock.nowMs()
  let response: Response
  let text: string
  try {
    response = await deps.fetch(url, {
      method: call.method,
      headers: {
        ...call.headers,
        accept: 'application/json, application/problem+json',
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      cache: 'no-store',
      ...(call.keepalive ? { keepalive: true } : {}),
      signal: link.signal,
    })
    text = await response.text()
  } catch (error) {
    throw link.signal.aborted ? link.signal.reason : unreachable(deps.baseUrl, error)
  } finally {
    clearTimeout(timer)
    link.release()
  }
  const date = response.headers.get('date')
  if (date) deps.serverClock.learn(Date.parse(date), askedAtMs)
  if (!response.ok) throw problemFromReply(response, text, deps.serverClock.nowMs())
  return { status: response.status, body: parseObject<Reply>(text, response.status) }
}

function urlOf(baseUrl: string, call: ServerRequest): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(call.query ?? {})) if (value !== undefined) query.set(name, String(value))
  const search = query.toString()
  return baseUrl.replace(/\/+$/, '') + call.path + (search ? `?${search}` : '')
}

function parseObject<Reply>(text: string, status: number): Reply {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Reply
  } catch {
    // Reported below: a proxy's page, or a body cut short.
  }
  throw new ClientException(
    'invalid-reply',
    `The answer with status ${status} is not JSON: is this the Partway server?`,
  )
}

/** Platforms put the reason in `cause`; its code says more than "fetch failed". */
function unreachable(baseUrl: string, error: unknown): ClientException {
  const cause = error instanceof Error ? (error.cause as { code?: unknown; message?: unknown } | undefined) : undefined
  const reason = cause?.code ?? cause?.message ?? (error instanceof Error ? error.message : String(error))
  return new ClientException('network', `The server at ${originOf(baseUrl)} cannot be reached: ${String(reason)}`, {
    cause: error,
  })
}

function originOf(baseUrl: string): string {
  try {
    return new URL(baseUrl).origin
  } catch {
    return baseUrl
  }
}
