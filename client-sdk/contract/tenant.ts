import { z } from 'zod'
import { Instant, text } from './primitives.ts'

/** As in a token's `tenant`, but for `*`, which is none. */
export const TenantName = text(1024)
  .min(1)
  .max(256)
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
