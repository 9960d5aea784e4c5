import { z } from 'zod'
import { Instant } from './primitives.ts'

/** As in a token's `tenant`, but for `*`, which is none. */
export const TenantName = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]{1,256}$/u, 'must be 1 to 256 characters, none of them a control character')
  .refine((name) => name !== '*', 'must name one tenant')
  .meta({ id: 'TenantName', description: 'A tenant as tokens name it: 1 to 256 characters, no control characters.' })

export const Tenant = z
  .object({
    tenant: TenantName,
    suspended: z.boolean().meta({ description: 'A suspended tenant gets no new uploads, grants and credentials.' }),
    suspendedAt: Instant.nullable(),
  })
  .meta({ id: 'Tenant' })
export type Tenant = z.infer<typeof Tenant>
