import { createPublicKey, createSecretKey } from 'node:crypto'
import jwt from 'jsonwebtoken'
import type { Config } from '../config.ts'
import { DEV_KEY_ID } from '../dev-token.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { invalidToken } from './invalid-token.ts'
import { algorithmsOf, type FindKey, jwksFinder, type VerifyingKey } from './key-set.ts'
import { principalOf } from './token-claims.ts'

/** Turns a bearer token into who it speaks for. Throws `unauthenticated`, or `credentials-unavailable` when its key cannot be fetched. */
export type VerifyToken = (token: string) => Promise<Principal>

/** How far the clocks of issuer and server may be apart. */
export const CLOCK_TOLERANCE_SECONDS = 30
export const MAX_TOKEN_BYTES = 8 * 1024
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
