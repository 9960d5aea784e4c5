import { createBearerToken } from './bearer-token.ts'
import { createServerClock, systemClock } from './clock.ts'
import { ClientException } from './errors.ts'
import { createLineNews } from './line-news.ts'
import type { RequestDeps } from './request.ts'
import { defaultRetryPolicy } from './retry.ts'
import type { ClientOptions, Ports } from './upload-client.ts'

/** What every call to one server shares. Throws ClientException `invalid-argument` without a server to ask, or a way to get a token. */
export function linkServer(
  { baseUrl, token, retry }: ClientOptions,
  ports: Pick<Ports<unknown>, 'clock' | 'fetch' | 'explainFailure'>,
): RequestDeps {
  if (typeof baseUrl !== 'string' || baseUrl === '') {
    throw new ClientException('invalid-argument', 'baseUrl must be the URL of the Partway server')
  }
  if (typeof token !== 'function') {
    throw new ClientException('invalid-argument', 'token must be a function that gives a token')
  }
  const clock = ports.clock ?? systemClock
  return {
    baseUrl,
    token: createBearerToken(token),
    fetch: ports.fetch ?? ((input: RequestInfo | URL, init?: RequestInit) => fetch(input, init)),
    clock,
    serverClock: createServerClock(clock),
    news: createLineNews(clock),
    retry: { ...defaultRetryPolicy, ...retry },
    explainFailure: ports.explainFailure,
  }
}
