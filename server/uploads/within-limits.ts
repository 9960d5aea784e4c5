import type { TenantLimits } from '@partway/client/contract'
import type { LockedUsage } from '../db/tenant-usage-rows.ts'
import { Problem } from '../problem.ts'

/** Room comes when another upload ends; nobody knows when. Clients that wait together need not come back every second. */
const QUOTA_RETRY_SECONDS = 30

/**
 * Throws `quota-exceeded` or `rate-limited` when one more upload of `sizeBytes` is more than a tenant may have, and `file-too-large` when
 * it would be if it were the only one: no waiting helps then.
 */
export function assertWithinLimits(limits: TenantLimits, usage: LockedUsage, sizeBytes: number): void {
  const { maxOpenUploads, maxBytesInFlight, maxCreatesPerMinute } = limits
  if (maxBytesInFlight !== null && sizeBytes > maxBytesInFlight) {
    throw new Problem(
      'file-too-large',
      `The tenant may have ${maxBytesInFlight} bytes in flight, and the file is larger.`,
    )
  }
  if (maxOpenUploads !== null && usage.openUploads + 1 > maxOpenUploads) {
    throw exceeded(`The tenant has ${usage.openUploads} open uploads, and may have ${maxOpenUploads}.`)
  }
  if (maxBytesInFlight !== null && usage.bytesInFlight + sizeBytes > maxBytesInFlight) {
    throw exceeded(`The tenant has ${usage.bytesInFlight} bytes in flight, and may have ${maxBytesInFlight}.`)
  }
  if (maxCreatesPerMinute !== null && usage.createsInMinute > maxCreatesPerMinute) {
    const detail = `The tenant may create ${maxCreatesPerMinute} uploads in a minute.`
    throw new Problem('rate-limited', detail, { retryAfterSeconds: usage.secondsLeft })
  }
}

function exceeded(detail: string): Problem {
  return new Problem('quota-exceeded', detail, { retryAfterSeconds: QUOTA_RETRY_SECONDS })
}
