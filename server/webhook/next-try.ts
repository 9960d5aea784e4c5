const firstDelays = [5, 30, 120, 600, 1800] as const
const laterDelay = 3600
const GIVEN_UP_AFTER_SECONDS = 3 * 86_400

const firstSeconds = firstDelays.reduce<number>((sum, delay) => sum + delay, 0)
/** As many as fit into three days. */
export const MAX_ATTEMPTS = 1 + firstDelays.length + Math.floor((GIVEN_UP_AFTER_SECONDS - firstSeconds) / laterDelay)

/**
 * In how many seconds a delivery is tried again after `attempts` (≥ 1) have failed: 5 s, 30 s, 2 min, 10 min, 30 min, then hourly, each a
 * fifth more or less, so that what failed together does not come back together. `random` is in [0, 1). Null after three days: then it is
 * given up.
 */
export function nextTryInSeconds(attempts: number, random: number): number | null {
  if (attempts >= MAX_ATTEMPTS) return null
  return (firstDelays[attempts - 1] ?? laterDelay) * (0.8 + 0.4 * random)
}
