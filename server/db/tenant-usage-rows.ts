import type { Queries } from './client.ts'

/* The statement that counts creates in `tenant_usage`; everything else in it is kept by the trigger on `uploads`. */

/** A tenant's numbers, while its row is locked. */
export interface LockedUsage {
  /** Without the upload that is about to be created. */
  openUploads: number
  bytesInFlight: number
  /** With the create that asks. */
  createsInMinute: number
  /** Until the next minute begins: 1 to 60. */
  secondsLeft: number
}

/**
 * Counts a create and locks the tenant's row until the transaction ends: whoever else creates for this tenant, on whatever instance, waits
 * and then sees what came of it. The minute is read off the clock when the lock is held, for that may be long after the
 * transaction began, and never goes back.
 *
 * No deadlock with transactions that end uploads, though they take their upload's row first and this one, by the trigger, second: the
 * caller has locked no upload yet, and the one it inserts next is known to nobody else. Before it, callers lock only names (lockName), which
 * nobody asks for while holding this row. A transaction that moves uploads of several tenants must do so in the order of their
 * tenants, or one tenant at a time.
 */
export async function lockUsage(sql: Queries, tenant: string): Promise<LockedUsage> {
  const [row] = await sql.$queryRaw<{ open: bigint; bytes: bigint; creates: number; secondsLeft: number }[]>`
    INSERT INTO tenant_usage AS usage (tenant, minute, creates_in_minute)
    VALUES (${tenant}, date_trunc('minute', clock_timestamp()), 1)
    ON CONFLICT (tenant) DO UPDATE SET (minute, creates_in_minute) = (
      SELECT greatest(usage.minute, present.minute),
        CASE WHEN usage.minute >= present.minute THEN usage.creates_in_minute + 1 ELSE 1 END
      FROM (SELECT date_trunc('minute', clock_timestamp()) AS minute) AS present)
    RETURNING open_uploads AS open, bytes_in_flight AS bytes, creates_in_minute AS creates,
      greatest(1, ceil(extract(epoch FROM minute + interval '1 minute' - clock_timestamp())))::int AS "secondsLeft"`
  if (!row) throw new Error('an upsert returned no row')
  const { open, bytes, creates, secondsLeft } = row
  return { openUploads: Number(open), bytesInFlight: Number(bytes), createsInMinute: creates, secondsLeft }
}
