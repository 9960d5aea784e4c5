import { onAbort } from './abort-link.ts'
import { ClientException } from './errors.ts'

/** The caller's token, asked for once and kept until the server refuses it. */
export interface BearerToken {
  /**
   * Throws ClientException `token-unavailable` when the caller's function throws or gives nothing within `timeoutMs`, `invalid-argument`
   * when what it gives is no token, and the reason of `signal`.
   */
  get(options: { signal?: AbortSignal | undefined; timeoutMs: number }): Promise<string>
  /** `refused` was answered with 401: the next `get` asks anew, once, however many calls were refused with it. */
  refuse(refused: string): void
}

export function createBearerToken(ask: () => string | Promise<string>): BearerToken {
  let current: Promise<string> | undefined
  let known: string | undefined
  const forget = (asked: Promise<string>) => {
    if (current === asked) current = undefined
  }
  return {
    async get({ signal, timeoutMs }) {
      current ??= Promise.resolve().then(ask).then(checked, failed)
      const asked = current
      // Also when nobody waits for it any more.
      asked.catch(() => forget(asked))
      try {
        known = await withinTime(asked, timeoutMs, signal)
        return known
      } catch (error) {
        if (!signal?.aborted) forget(asked)
        throw error
      }
    },
    refuse(refused) {
      if (refused !== known) return
      current = undefined
      // Others that were refused with it find the next one being asked for.
      known = undefined
    },
  }
}

/** What may stand in a header as it is: the error a platform throws for anything else would repeat the token. */
function checked(token: unknown): string {
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token
  throw new ClientException('invalid-argument', 'token() must give a non-empty string of visible ASCII characters')
}

function failed(error: unknown): never {
  if (error instanceof ClientException) throw error
  throw new ClientException('token-unavailable', 'The token could not be obtained: token() failed', { cause: error })
}

function withinTime(asked: Promise<string>, timeoutMs: number, signal: AbortSignal | undefined): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const end = (settle: () => void) => {
      clearTimeout(timer)
      forget()
      settle()
    }
    const forget = signal ? onAbort(signal, () => end(() => reject(signal.reason))) : () => {}
    const onLate = () =>
      reject(new ClientException('token-unavailable', `token() gave no token within ${timeoutMs / 1000} s`))
    const timer = setTimeout(() => end(onLate), timeoutMs)
    asked.then(
      (token) => end(() => resolve(token)),
      (error) => end(() => reject(error)),
    )
  })
}
