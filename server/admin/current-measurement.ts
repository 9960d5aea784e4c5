import { setTimeout as delay } from 'node:timers/promises'
import { type FinishedMeasurement, findMeasurement } from '../db/usage-measurement-rows.ts'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { measureUsage } from './measure-usage.ts'

/** A count older than this is made anew behind the reply that it is shown in. */
const freshSeconds = 60
const pollMs = 250
const patienceMs = 20_000

/**
 * The latest finished count, at once; a fresh one is begun if it is older than a minute, and nobody waits for it. Only the very first is
 * waited for, 20 s at most while another instance makes it; then it throws `database-unavailable`, for later. `signal`: the caller hung up.
 */
export async function currentMeasurement(deps: Deps, signal?: AbortSignal): Promise<FinishedMeasurement> {
  const known = await findMeasurement(deps.db.prisma)
  if (!known) return firstMeasurement(deps, signal)
  if (known.ageSeconds > freshSeconds) measureBehind(deps)
  return known
}

function measureBehind(deps: Deps): void {
  measureUsage(deps).catch((error: unknown) => deps.log.error({ err: error }, 'the open uploads could not be counted'))
}

async function firstMeasurement(deps: Deps, signal?: AbortSignal): Promise<FinishedMeasurement> {
  const endsAt = performance.now() + patienceMs
  // The count is everybody's: a caller that hangs up does not end it.
  while (performance.now() < endsAt && !signal?.aborted) {
    await measureUsage(deps)
    const found = await findMeasurement(deps.db.prisma)
    if (found) return found
    await delay(pollMs, undefined, { signal }).catch(() => {})
  }
  throw new Problem('database-unavailable', 'The uploads are being counted for the first time.')
}
