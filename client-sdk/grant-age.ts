import type { ServerClock } from './clock.ts'
import type { PartGrant } from './contract/part.ts'

/** Judges how much life a grant has left, by the server's clock. */
export interface GrantAges {
  /** `grant` has just come. */
  received(grant: PartGrant): void
  /** Whether `grant` is too close to its end to begin a request with. */
  isNearEnd(grant: PartGrant): boolean
}

/** A request must reach OSS before its grant ends. Grants that live shortly get a margin they can afford. */
const marginMs = 20_000
const marginShare = 0.2

export function createGrantAges(serverClock: ServerClock): GrantAges {
  const livesMs = new WeakMap<PartGrant, number>()
  return {
    received(grant) {
      livesMs.set(grant, Date.parse(grant.expiresAt) - serverClock.nowMs())
    },
    isNearEnd(grant) {
      const leftMs = Date.parse(grant.expiresAt) - serverClock.nowMs()
      const lifeMs = livesMs.get(grant) ?? Number.POSITIVE_INFINITY
      return leftMs <= Math.min(marginMs, lifeMs * marginShare)
    },
  }
}
