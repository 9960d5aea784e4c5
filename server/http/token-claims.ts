import type { Scope } from '@partway/client/contract'
import { z } from 'zod'
import { EVERY_TENANT, type Principal } from '../principal.ts'
import { Problem } from '../problem.ts'

const scopes = ['uploads', 'uploads:tenant', 'credentials', 'credentials:direct', 'admin'] as const satisfies Scope[]

// A subject or tenant reaches rows and log lines: control characters and lone surrogates could be stored in neither.
const Name = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,256}$/u)

const MediaRange = z.string().regex(/^[A-Za-z0-9!#$&^_.+-]{1,127}\/(\*|[A-Za-z0-9!#$&^_.+-]{1,127})$/)

/** The claims Partway reads. Other claims are the issuer's business; `limits` is Partway's own, so a misspelt limit is refused, not ignored. */
const Claims = z.object({
  sub: Name,
  exp: z.number().positive(),
  tenant: Name.optional(),
  scope: z.string().max(4096).optional(),
  limits: z
    .strictObject({
      maxSizeBytes: z.int().min(0).optional(),
      contentTypes: z.array(MediaRange.toLowerCase()).min(1).max(100).optional(),
    })
    .optional(),
})

/**
 * Who a verified token's payload speaks for. Scopes Partway does not know are ignored; `uploads:tenant` includes `uploads`.
 * Throws `unauthenticated` for claims that are missing or malformed, and for a `sub` of `*` without a `tenant`: issuers may let people choose
 * their subject, and nobody may choose to be every tenant.
 */
export function principalOf(payload: unknown): Principal {
  const claims = Claims.safeParse(payload)
  if (!claims.success) {
    throw new Problem('unauthenticated', 'The bearer token’s claims are not valid.', { cause: badClaims(claims.error) })
  }
  const { sub, tenant = sub, scope = '', limits = {} } = claims.data
  if (tenant === EVERY_TENANT && claims.data.tenant === undefined) {
    throw new Problem('unauthenticated', 'A token with the subject * must name its tenant.')
  }
  const named = new Set(scope.split(' '))
  if (named.has('uploads:tenant')) named.add('uploads')
  return { subject: sub, tenant, scopes: new Set(scopes.filter((known) => named.has(known))), limits }
}

/** For the log: which claims, by their own names. zod's message would also hold what the token's issuer, or a forger, called others. */
function badClaims({ issues }: z.ZodError): Error {
  const names = new Set(issues.map(({ path }) => path.join('.')))
  return new Error(`claims that are missing or malformed: ${[...names].join(', ')}`)
}
