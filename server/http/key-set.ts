import { createPublicKey, type KeyObject } from 'node:crypto'
import type jwt from 'jsonwebtoken'
import { JwksClient, type SigningKey } from 'jwks-rsa'
import { request } from 'undici'
import { Problem } from '../problem.ts'
import { invalidToken } from './invalid-token.ts'

const JWKS_TIMEOUT_MS = 5_000
/** How old a key set may be, how old before an unknown key id asks for a new one, and the pause after a failed fetch. */
const JWKS_MAX_AGE_MS = 10 * 60_000
const JWKS_MIN_AGE_MS = 30_000
const JWKS_RETRY_MS = 5_000

/** A key, and the only algorithms it may verify with. */
export interface VerifyingKey {
  key: KeyObject
  algorithms: jwt.Algorithm[]
}
/** `keyId` is the token's word: any JSON value, or undefined. */
export type FindKey = (keyId: unknown) => Promise<VerifyingKey>

/**
 * Finds keys in the whole set at `url`, one fetch at a time. Who is asking is not known yet, so forged key ids cost at most one fetch in 30 s (5 s
 * while fetching fails): until then an unknown id is invalid, a new key's too. A set that cannot be renewed is used on, for as long as it takes.
 */
export function jwksFinder(url: string, now: () => Date): FindKey {
  // Its own cache and rate limit go by key id, and forged ids would use them up for everybody.
  const client = new JwksClient({ jwksUri: url, cache: false, rateLimit: false, fetcher: fetchJson })
  let keys: (VerifyingKey & { keyId: string | undefined })[] | null = null
  let failure: unknown = null
  let fetchedAtMs = Number.NEGATIVE_INFINITY
  let fetching: Promise<void> | null = null

  async function fetchKeys() {
    try {
      keys = (await client.getSigningKeys()).map((key) => ({ ...verifyingKey(key), keyId: key.kid }))
      failure = null
    } catch (cause) {
      failure = cause ?? new Error('the key set cannot be fetched')
    }
    fetchedAtMs = now().getTime()
    fetching = null
  }
  function isDue(afterMs: number) {
    const ageMs = now().getTime() - fetchedAtMs
    return ageMs >= afterMs || ageMs < 0 // The clock was set back.
  }
  function findKept(keyId: unknown) {
    // Without an id, RFC 7515 leaves the choice to us: there is one only where there is one key.
    if (keyId === undefined || keyId === null) return keys?.length === 1 ? keys[0] : undefined
    return keys?.find((key) => key.keyId === keyId)
  }
  return async (keyId) => {
    const kept = findKept(keyId)
    if (isDue(failure !== null ? JWKS_RETRY_MS : kept ? JWKS_MAX_AGE_MS : JWKS_MIN_AGE_MS)) {
      // While fetching fails, whoever has a key does not wait for the next attempt.
      const canGoOn = kept !== undefined && failure !== null
      fetching ??= fetchKeys()
      if (!canGoOn) await fetching
    }
    const key = findKept(keyId)
    if (key) return key
    // The token may well be good: a 401 would make its holder throw it away.
    if (failure !== null) {
      throw new Problem('credentials-unavailable', 'The keys that verify tokens cannot be fetched.', { cause: failure })
    }
    throw invalidToken(new Error('the key set does not hold the key'))
  }
}

/**
 * Ends in time, its body included. Two others do not: jwks-rsa's own request ends only when the connection idles, and the signal of Node's fetch
 * no longer stops a body whose response has been garbage-collected (seen on Node 20).
 */
async function fetchJson(url: string): Promise<{ keys: unknown }> {
  const { statusCode, body } = await request(url, { signal: AbortSignal.timeout(JWKS_TIMEOUT_MS) })
  const text = await body.text()
  if (statusCode !== 200) throw new Error(`the key set answers ${statusCode}`)
  return JSON.parse(text)
}

function verifyingKey(signingKey: SigningKey): VerifyingKey {
  const key = createPublicKey(signingKey.getPublicKey())
  const possible = algorithmsOf(key)
  const own = possible.filter((algorithm) => algorithm === signingKey.alg)
  return { key, algorithms: signingKey.alg === undefined ? possible : own }
}

const rsaPss: jwt.Algorithm[] = ['PS256', 'PS384', 'PS512']
const curves: Record<string, jwt.Algorithm> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }

/** What a public key's type allows. */
export function algorithmsOf(key: KeyObject): jwt.Algorithm[] {
  if (key.asymmetricKeyType === 'rsa') return ['RS256', 'RS384', 'RS512', ...rsaPss]
  if (key.asymmetricKeyType === 'rsa-pss') return rsaPss
  const algorithm = curves[key.asymmetricKeyDetails?.namedCurve ?? '']
  return algorithm ? [algorithm] : []
}
