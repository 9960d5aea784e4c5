import { type ServerClock, systemClock } from '../clock.ts'
import { linkServer } from '../link-server.ts'
import { request } from '../request.ts'
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
export function linkAccess({ onRetry, ports = {}, ...options }: AccessOptions): ServerLink {
  const link = linkServer(options, { ...ports, clock: createSteadyClock(ports.clock ?? systemClock) })
  return { api: createUploadApi((call) => request({ ...link, onRetry }, call)), serverClock: link.serverClock }
}
