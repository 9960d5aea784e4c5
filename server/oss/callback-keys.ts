import { createPublicKey, type KeyObject } from 'node:crypto'
import { request } from 'undici'
import { Problem } from '../problem.ts'

/** The public keys that callbacks are verified with. */
export interface CallbackKeys {
  /** The key at the URL that a callback names, or null when nobody but the vendor's own host would do. Throws `credentials-unavailable`
   *  when it cannot be fetched. */
  find(keyUrl: string): Promise<KeyObject | null>
}

const VENDOR_HOST = 'gosspublic.alicdn.com'
const KEY_PATH = /^\/[A-Za-z0-9_.-]{1,100}\.pem$/
// OSS waits 5 s for its answer.
const FETCH_TIMEOUT_MS = 2_500
const MAX_KEY_BYTES = 16 * 1024
const MAX_AGE_MS = 60 * 60_000
const RETRY_MS = 5_000
/** The vendor's one key today. It has a place of its own: names that somebody made up, and nothing signed, must not keep it out. */
const PRESENT_KEY_PATH = '/callback_pub_key_v1.pem'
/** How many others there may be at once. Whoever names them makes us fetch so many every RETRY_MS, and no more. */
const MAX_OTHER_KEYS = 3

export interface CallbackKeysOptions {
  now: () => Date
  /** The local cloud, which publishes its own key: as its callbacks name it, and as the server reaches it. Null: the vendor. */
  local: { publicEndpoint: string; endpoint: string } | null
  /** Resolves with a PEM text; by default over HTTPS, without following redirects. */
  fetchKey?: (url: string) => Promise<string>
}

interface Kept {
  key: KeyObject | null
  failure: unknown
  fetchedAtMs: number
  fetching: Promise<void> | null
}

/** Keys are kept for an hour, and longer while the host does not answer. Callers of one key share one fetch. */
export function createCallbackKeys({ now, local, fetchKey = fetchPem }: CallbackKeysOptions): CallbackKeys {
  const kept = new Map<string, Kept>()

  async function refresh(url: string, entry: Kept): Promise<void> {
    try {
      const key = createPublicKey(await fetchKey(url))
      if (key.asymmetricKeyType !== 'rsa') throw new Error('the callback key is not of RSA')
      entry.key = key
      entry.failure = null
    } catch (cause) {
      entry.failure = cause
    }
    entry.fetchedAtMs = now().getTime()
    entry.fetching = null
  }

  function entryOf(url: string): Kept | null {
    const known = kept.get(url)
    if (known) return known
    const others = [...kept].filter(([other]) => !isPresentKey(other))
    if (!isPresentKey(url) && others.length >= MAX_OTHER_KEYS) {
      const [oldestUrl] = others.find(([, entry]) => isForgettable(entry)) ?? []
      if (oldestUrl === undefined) return null
      kept.delete(oldestUrl)
    }
    const fresh: Kept = { key: null, failure: null, fetchedAtMs: Number.NEGATIVE_INFINITY, fetching: null }
    kept.set(url, fresh)
    return fresh
  }

  function isForgettable({ key, fetching, fetchedAtMs }: Kept): boolean {
    return fetching === null && now().getTime() - fetchedAtMs >= (key === null ? RETRY_MS : MAX_AGE_MS)
  }

  return {
    async find(keyUrl) {
      const url = pinned(keyUrl, local)
      const entry = url && entryOf(url)
      if (!entry) return null
      const ageMs = now().getTime() - entry.fetchedAtMs
      if (ageMs >= (entry.failure === null ? MAX_AGE_MS : RETRY_MS) || ageMs < 0) entry.fetching ??= refresh(url, entry)
      if (entry.fetching && !entry.key) await entry.fetching
      if (entry.key) return entry.key
      throw new Problem('credentials-unavailable', 'The key that verifies callbacks cannot be fetched.', {
        cause: entry.failure,
      })
    },
  }
}

function isPresentKey(url: string): boolean {
  return new URL(url).pathname === PRESENT_KEY_PATH
}

/** Where to fetch the named key, always by HTTPS from the vendor; null for any other host, port, path or query. */
function pinned(keyUrl: string, local: CallbackKeysOptions['local']): string | null {
  if (!URL.canParse(keyUrl)) return null
  const { protocol, origin, host, pathname, search, hash, username, password } = new URL(keyUrl)
  if (!KEY_PATH.test(pathname) || `${search}${hash}${username}${password}` !== '') return null
  if (local) return origin === new URL(local.publicEndpoint).origin ? `${local.endpoint}${pathname}` : null
  return /^https?:$/.test(protocol) && host === VENDOR_HOST ? `https://${VENDOR_HOST}${pathname}` : null
}

async function fetchPem(url: string): Promise<string> {
  const { statusCode, body } = await request(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    sizeBytes += chunk.length
    if (sizeBytes > MAX_KEY_BYTES) throw new Error('the callback key is too long')
  }
  if (statusCode !== 200) throw new Error(`the callback key's host answers ${statusCode}`)
  return Buffer.concat(chunks).toString('utf8')
}
