import { createUploadClient, isServerProblem } from '@partway/client'
import type { TokenVerdict } from '../shared/sign-in-form.ts'

/** Who is signed in: a bearer token, in this variable and nowhere else. */
export interface Session {
  /** What the SDK's client asks for tokens: one that the server takes, as soon as the user has given it. */
  token(): Promise<string>
  readonly isSignedIn: boolean
  signIn(token: string): void
}

/**
 * `ask` is called when a token is needed that nobody has; `isRenewal` says that there was one, and the server takes it no longer. Uploads
 * wait meanwhile, though not for ever: whoever calls {@link Session.signIn} tries those again that gave up.
 */
export function createSession(baseUrl: string, ask: (isRenewal: boolean) => void): Session {
  let current: string | undefined
  let wasGiven = false
  let asked: PromiseWithResolvers<string> | undefined

  return {
    get isSignedIn() {
      return current !== undefined
    },
    async token() {
      const known = current
      // The SDK asks again when the server refused the token, but also when an earlier question was not answered in time.
      if (known !== undefined && !(wasGiven && (await checkToken(baseUrl, known)) === 'refused')) {
        wasGiven = true
        return known
      }
      if (current === known) current = undefined
      if (current !== undefined) return current
      if (!asked) {
        asked = withResolvers()
        ask(known !== undefined)
      }
      return asked.promise
    },
    signIn(token) {
      current = token
      wasGiven = asked !== undefined
      asked?.resolve(token)
      asked = undefined
    },
  }
}

/** Whether the server takes `token` for uploads, asked once; `unknown` when it cannot be asked. */
export async function checkToken(baseUrl: string, token: string): Promise<TokenVerdict> {
  const client = createUploadClient({ baseUrl, token: () => token, retry: { maxAttempts: 1 } })
  try {
    await client.listUploads({ limit: 1 })
    return 'taken'
  } catch (error) {
    if (!isServerProblem(error)) return 'unknown'
    if (error.status === 403) return 'not-allowed'
    return error.status === 401 ? 'refused' : 'unknown'
  } finally {
    client.close()
  }
}

interface PromiseWithResolvers<Value> {
  promise: Promise<Value>
  resolve(value: Value): void
}

function withResolvers<Value>(): PromiseWithResolvers<Value> {
  let resolve: (value: Value) => void = () => {}
  const promise = new Promise<Value>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
