import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { JwksClient, SigningKeyNotFoundError } from 'jwks-rsa'
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
const JWKS_CACHE_MS = 10 * 60_000
const JWKS_TIMEOUT_MS = 5_000

interface VerifyingKey {
  key: KeyObject
  algorithms: jwt.Algorithm[]
}
type FindKey = (keyId: string | undefined) => Promise<VerifyingKey>

/**
 * The verifier for the configured key. Which algorithms are accepted follows from that key alone: a secret takes HS256/384/512, an RSA key
 * RS and PS, an EC key the ES of its curve; a JWKS key its own `alg`, or else what its type allows. `alg` in the token only has to match.
 */
export function createTokenVerifier(config: Pick<Config, 'jwt' | 'environment'>, now: () => Date): VerifyToken {
  const { issuer, audience } = config.jwt
  const findKey = keyFinder(config.jwt.key)
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

function keyFinder(key: Config['jwt']['key']): FindKey {
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
  return jwksFinder(key.url)
}

function jwksFinder(url: string): FindKey {
  // Unknown key ids make the client fetch again, so fetching is limited: a flood of forged tokens must not become one of requests.
  const client = new JwksClient({
    jwksUri: url,
    cache: true,
    cacheMaxEntries: 32,
    cacheMaxAge: JWKS_CACHE_MS,
    rateLimit: true,
    jwksRequestsPerMinute: 10,
    timeout: JWKS_TIMEOUT_MS,
  })
  return async (keyId) => {
    try {
      const found = await client.getSigningKey(keyId)
      const key = createPublicKey(found.getPublicKey())
      const possible = algorithmsOf(key)
      const own = possible.filter((algorithm) => algorithm === found.alg)
      return { key, algorithms: found.alg === undefined ? possible : own }
    } catch (cause) {
      if (cause instanceof SigningKeyNotFoundError) throw invalidToken(cause)
      // The token may well be good: a 401 would make its holder throw it away.
      throw new Problem('credentials-unavailable', 'The keys that verify tokens cannot be fetched.', { cause })
    }
  }
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
    return jwt.decode(token, { complete: true })?.header ?? null
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
