import { forgetAuthUrls } from '../db/auth-url-rows.ts'
import { forgetCredentialGrants } from '../db/credential-rows.ts'
import { forgetOldEvents } from '../db/event-rows.ts'
import { forgetIdempotencyKeys } from '../db/idempotency-keys.ts'
import { forgetSweeps } from '../db/sweep-rows.ts'
import type { Deps } from '../deps.ts'

const keysPerRun = 100_000
const grantsPerStatement = 10_000
/** A million rows in each run: more than can be written between two. */
const grantStatementsPerRun = 100
/** How long the reports of sweeps are kept. */
export const SWEEPS_KEPT_DAYS = 30
/** How long the audit trail says who was handed credentials, after these have ended: as long as ActionTrail keeps its own by default. */
export const CREDENTIAL_GRANTS_KEPT_DAYS = 90
const eventsPerStatement = 10_000
const eventStatementsPerRun = 100
/** How long changes of state are kept. What an administrator should know about stays. */
export const EVENTS_KEPT_DAYS = 90

/** Deletes what has served its time: idempotency keys, auth URLs that have ended, old reports of sweeps, old rows of the audit trail and
 *  changes of state. Bounded in each statement. */
export async function forgetOldRows({ db }: Pick<Deps, 'db'>, signal?: AbortSignal): Promise<void> {
  await forgetIdempotencyKeys(db.prisma, keysPerRun)
  await forgetAuthUrls(db.prisma, keysPerRun)
  await forgetSweeps(db.prisma, SWEEPS_KEPT_DAYS, keysPerRun)
  await forgetEvents(db, signal)
  for (let run = 0; run < grantStatementsPerRun && !signal?.aborted; run++) {
    const forgotten = await forgetCredentialGrants(db.prisma, CREDENTIAL_GRANTS_KEPT_DAYS, grantsPerStatement)
    if (forgotten < grantsPerStatement) return
  }
}

async function forgetEvents(db: Deps['db'], signal: AbortSignal | undefined): Promise<void> {
  let after: string | null = '0'
  for (let run = 0; run < eventStatementsPerRun && after !== null && !signal?.aborted; run++) {
    after = await forgetOldEvents(db.prisma, EVENTS_KEPT_DAYS, { after, limit: eventsPerStatement })
  }
}
