import { setTimeout as delay } from 'node:timers/promises'

/** Resolves when `isMet` says so; throws after `timeoutMs`. */
export async function until(isMet: () => Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  const endsAt = performance.now() + timeoutMs
  while (!(await isMet())) {
    if (performance.now() > endsAt) throw new Error(`not met within ${timeoutMs} ms: ${isMet}`)
    await delay(20)
  }
}
