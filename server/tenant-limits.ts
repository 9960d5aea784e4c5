import type { TenantLimits } from '@partway/client/contract'

export const noLimits: TenantLimits = { maxOpenUploads: null, maxBytesInFlight: null, maxCreatesPerMinute: null }

/** What holds for a tenant: its own limits, and where it has none the server's QUOTA_…. Null: no limit. */
export function effectiveLimits(own: TenantLimits, quotas: TenantLimits): TenantLimits {
  return {
    maxOpenUploads: own.maxOpenUploads ?? quotas.maxOpenUploads,
    maxBytesInFlight: own.maxBytesInFlight ?? quotas.maxBytesInFlight,
    maxCreatesPerMinute: own.maxCreatesPerMinute ?? quotas.maxCreatesPerMinute,
  }
}

/** Whether anything has to be counted before a create. */
export function isLimited(limits: TenantLimits): boolean {
  return Object.values(limits).some((limit) => limit !== null)
}
