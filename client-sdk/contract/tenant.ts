import { z } from 'zod'
import { ByteCount, Instant } from './primitives.ts'

/** As in a token's `tenant`, but for `*`, which is none. */
export const TenantName = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]{1,256}$/u, 'must be 1 to 256 characters, none of them a control character')
  .refine((name) => name !== '*', 'must name one tenant')
  .meta({ id: 'TenantName', description: 'A tenant as tokens name it: 1 to 256 characters, no control characters.' })

const limit = (maximum: number) => z.int().min(0).max(maximum).nullable()

const limits = {
  maxOpenUploads: limit(1_000_000_000).meta({ description: 'Uploads that are not yet completed or aborted.' }),
  maxBytesInFlight: limit(Number.MAX_SAFE_INTEGER).meta({
    description: 'File sizes of those uploads, together: reserved at create, released at the end.',
  }),
  maxCreatesPerMinute: limit(1_000_000).meta({ description: 'Uploads created within one minute of the clock.' }),
}

export const TenantLimits = z
  .object(limits)
  .meta({ id: 'TenantLimits', description: 'What a tenant may have at once. Null: the server’s QUOTA_… decides.' })
export type TenantLimits = z.infer<typeof TenantLimits>

/** A change of some limits: those not named stay. */
export const TenantLimitsChange = z.strictObject(limits).partial().meta({
  id: 'TenantLimitsChange',
  description: 'Limits that are not named stay as they are; null returns to the server’s QUOTA_….',
})

export const TenantUsage = z
  .object({
    openUploads: z.int().min(0),
    bytesInFlight: ByteCount,
    createsThisMinute: z.int().min(0),
  })
  .meta({ id: 'TenantUsage', description: 'What the limits are held against, at this moment.' })
export type TenantUsage = z.infer<typeof TenantUsage>

export const Tenant = z
  .object({
    tenant: TenantName,
    suspended: z.boolean().meta({ description: 'A suspended tenant gets no new uploads, grants and credentials.' }),
    suspendedAt: Instant.nullable(),
    limits: TenantLimits,
    effectiveLimits: TenantLimits.meta({ description: 'With the server’s QUOTA_… filled in. Null: no limit.' }),
    usage: TenantUsage,
  })
  .meta({ id: 'Tenant' })
export type Tenant = z.infer<typeof Tenant>
