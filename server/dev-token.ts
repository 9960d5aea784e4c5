import type { Scope } from '@partway/client/contract'
import jwt from 'jsonwebtoken'

/** Marks tokens that `partway` itself minted, so that a production server can refuse them. Sits in the header's `kid`. */
export const DEV_KEY_ID = 'partway-dev'

export interface DevClaims {
  subject: string
  /** By default the subject. */
  tenant?: string | undefined
  scopes: readonly Scope[]
  limits?: { maxSizeBytes?: number; contentTypes?: string[] } | undefined
  ttlSeconds: number
}

/** What signs a development token: the server's own secret, and the issuer and audience that it asks for. */
export interface DevTokenSigner {
  secret: string
  issuer?: string | null | undefined
  audience?: string | null | undefined
}

/** A bearer token as a user's backend would mint it, HS256, for development and tests. `ttlSeconds` counts from now. */
export function mintDevToken(signer: DevTokenSigner, claims: DevClaims): string {
  const { subject, tenant, scopes, limits, ttlSeconds } = claims
  const body = { ...(tenant === undefined ? {} : { tenant }), scope: scopes.join(' '), ...(limits ? { limits } : {}) }
  return jwt.sign(body, signer.secret, {
    algorithm: 'HS256',
    keyid: DEV_KEY_ID,
    subject,
    expiresIn: ttlSeconds,
    ...(signer.issuer ? { issuer: signer.issuer } : {}),
    ...(signer.audience ? { audience: signer.audience } : {}),
  })
}
