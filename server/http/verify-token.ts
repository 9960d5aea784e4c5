import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { JwksClient, type SigningKey } from 'jwks-rsa'
import { request } from 'undici'
import type { Config } from '../config.ts'
import { DEV_KEY_ID } from '../dev-token.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { principalOf } from './token-claims.ts'

/** Turns a bearer token into who it speaks for. Throws `unauthenticated`, or `credentials-unavailable` when its key cannot be fetched. */
export type VerifyToken = (token: string) => Promise<Principal>

/** How far the clocks of issuer and server may be apart. */
export const CLOCK_TOLERANCE_SECONDS = 30
export const MAX_TOKEN_BYTES = 8 * 1024
const JWKS_TIMEOUT_MS = 5_000
/** How old a key set may be, how old before an unknown key id asks for a new one, and the pause after a failed fetch. */
const JWKS_MAX_AGE_MS = 10 * 60_000
const JWKS_MIN_AGE_MS = 30_000
const JWKS_RETRY_MS = 5_000

interface VerifyingKey {
  key: KeyObject
  algorithms: jwt.Algorithm[]
}
/** `keyId` is the token's word: any JSON value, or undefined. */
type FindKey = (keyId: unknown) => Promise<VerifyingKey>

/**
 * The verifier for the configured key. Which algorithms are accepted follows from that key alone: a secret takes HS256/384/512, an RSA key
 * RS and PS, an EC key the ES of its curve; a JWKS key its own `alg`, or else what its type allows. `alg` in the token only has to match.
 */
export function createTokenVerifier(config: Pick<Config, 'jwt' | 'environment'>, now: () => Date): VerifyToken {
  const { issuer, audience } = config.jwt
  const findKey = keyFinder(config.jwt.key, now)
  return async (token) => {
    const header = readHeader(token)
    // RFC 7515 §4.1.11: whoever does not understand a critical extension must refuse. None is understood here.
    if (!header || 'crit' in header) throw invalidToken()
    if (header.kid === DEV_KEY_ID && config.environment === 'production') throw invalidToken()
    const { key, algorithms } = await findKey(header.kid)
    return principalOf(
      verified(() =>
        jwt.verify(token, key, {
          algorithms,
          clockTolerance: CLOCK_TOLERANCE_SECONDS,
          clockTimestamp: Math.floor(now().getTime() / 1000),
          ...(issuer === null ? {} : { issuer }),
          ...(audience === null ? {} : { audience }),
        }),
      ),
    )
  }
}

function keyFinder(key: Config['jwt']['key'], now: () => Date): FindKey {
  if (key === null) throw new Error('nothing verifies tokens: set JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL')
  if (key.kind === 'secret') {
    // A KeyObject, because jsonwebtoken would first try to read a string as a public key.
    const secret: VerifyingKey = {
      key: createSecretKey(Buffer.from(key.secret)),
      algorithms: ['HS256', 'HS384', 'HS512'],
    }
    return async () => secret
  }
  if (key.kind === 'public-key') {
    const publicKey = createPublicKey(key.pem)
    const fixed: VerifyingKey = { key: publicKey, algorithms: algorithmsOf(publicKey) }
    return async () => fixed
  }
  return jwksFinder(key.url, now)
}

/**
 * Finds keys in the whole set at `url`, one fetch at a time. Who is asking is not known yet, so forged key ids cost at most one fetch in 30 s (5 s
 * while fetching fails): until then an unknown id is invalid, a new key's too. A set that cannot be renewed is used on, for as long as it takes.
 */
function jwksFinder(url: string, now: () => Date): FindKey {
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

function algorithmsOf(key: KeyObject): jwt.Algorithm[] {
  if (key.asymmetricKeyType === 'rsa') return ['RS256', 'RS384', 'RS512', ...rsaPss]
  if (key.asymmetricKeyType === 'rsa-pss') return rsaPss
  const algorithm = curves[key.asymmetricKeyDetails?.namedCurve ?? '']
  return algorithm ? [algorithm] : []
}

function readHeader(token: string): jwt.JwtHeader | null {
  if (token.length > MAX_TOKEN_BYTES) return null
  try {
    // jsonwebtoken promises an object, but passes on whatever JSON the header is.
    const header: unknown = jwt.decode(token, { complete: true })?.header
    return typeof header === 'object' && !Array.isArray(header) ? (header as jwt.JwtHeader | null) : null
  } catch {
    return null
  }
}

function verified(verify: () => unknown): unknown {
  try {
    return verify()
  } catch (cause) {
    // The one reason a caller is told: it can cure it by itself.
    if (cause instanceof jwt.TokenExpiredError) {
      throw new Problem('unauthenticated', 'The bearer token has expired.', { cause })
    }
    throw invalidToken(cause)
  }
}

/** Says no more than that: why a forged token failed is nobody's business but the log's. */
export function invalidToken(cause?: unknown): Problem {
  return new Problem('unauthenticated', 'The bearer token is not valid.', { cause })
}
