import { createBearerToken } from '../bearer-token.ts'
import { createServerClock, type ServerClock, systemClock } from '../clock.ts'
import { ClientException } from '../errors.ts'
import { request } from '../request.ts'
import { defaultRetryPolicy } from '../retry.ts'
import type { RetryNotice } from '../retry-streak.ts'
import { createUploadApi, type UploadApi } from '../upload-api.ts'
import type { ClientOptions, Ports } from '../upload-client.ts'
import { createSteadyClock } from './steady-clock.ts'

/** Where credentials come from: the Partway server, and a token with scope `credentials:direct` or `credentials`. */
export interface AccessOptions extends ClientOptions {
  /** Aborting it ends the access: what is under way is dropped, and `refreshSTSToken` throws its reason from then on. */
  signal?: AbortSignal | undefined
  /** Called before each wait for another attempt. Uploads go on meanwhile, as long as their credentials live. */
  onRetry?: ((notice: RetryNotice) => void) | undefined
  /** By default the global `fetch` and the system's clock. In a page, `clock: browserClock` of `@partway/client` also waits for the network. */
  ports?: Pick<Ports<unknown>, 'clock' | 'fetch' | 'explainFailure'> | undefined
}

/** The server, and what time it is there. */
export interface ServerLink {
  api: UploadApi
  serverClock: ServerClock
}

/** Throws ClientException `invalid-argument` when there is no server to ask, or no way to get a token. */
export function linkServer({ baseUrl, token, retry, onRetry, ports = {} }: AccessOptions): ServerLink {
  if (typeof baseUrl !== 'string' || baseUrl === '') {
    throw new ClientException('invalid-argument', 'baseUrl must be the URL of the Partway server')
  }
  if (typeof token !== 'function') {
    throw new ClientException('invalid-argument', 'token must be a function that gives a token')
  }
  const clock = createSteadyClock(ports.clock ?? systemClock)
  const serverClock = createServerClock(clock)
  const deps = {
    baseUrl,
    token: createBearerToken(token),
    fetch: ports.fetch ?? ((input: RequestInfo | URL, init?: RequestInit) => fetch(input, init)),
    clock,
    serverClock,
    retry: { ...defaultRetryPolicy, ...retry },
    onRetry,
    explainFailure: ports.explainFailure,
  }
  return { api: createUploadApi((call) => request(deps, call)), serverClock }
}
