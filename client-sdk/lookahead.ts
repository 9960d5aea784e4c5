import type { Clock } from './clock.ts'
import type { PartPlan } from './contract/part-plan.ts'

/** How many parts are hashed and granted before a sender is free for them. */
export interface Lookahead {
  /** OSS has a part. */
  stored(): void
  /**
   * For now: what is sent in two seconds, as quickly as parts have been stored lately, where that spares requests. `left`: parts no grant was
   * asked for yet.
   */
  bounds(isBatched: boolean, left: number): LookaheadBounds
}

export interface LookaheadBounds {
  /** Parts to be hashed ahead of the ones in flight, ≥ 1. Grants are asked for that many at a time. */
  ahead: number
  /** Parts that are enough to ask for while a sender waits for one, ≥ 1. */
  batch: number
}

/** What may lie hashed and waiting on any line. */
const slowBytes = 64 * 1_048_576
/** The same on one that takes it at once: little enough to be still in the system's cache when it is sent. */
const quickBytes = 256 * 1_048_576
/** Grants are asked for so long ahead, which is nothing beside their life and spares a quick line most of its requests. */
const aheadMs = 2000
/** What one request for grants may ask for. */
const maxParts = 100
/** Parts that tell how quick the line is, or more than are in flight: on a slow one those end together, too. */
const remembered = 16

/** Two parts for each sender at least, unless they are large. */
export function createLookahead(
  parallel: number,
  { partSizeBytes }: Pick<PartPlan, 'partSizeBytes'>,
  clock: Clock,
): Lookahead {
  const partsIn = (bytes: number) => Math.max(1, Math.floor(bytes / partSizeBytes))
  const least = Math.min(2 * parallel, partsIn(slowBytes))
  const most = Math.max(least, Math.min(maxParts, partsIn(quickBytes)))
  const storedAt: number[] = []
  const telling = Math.max(remembered, parallel + 1)

  function partsAhead(): number {
    const [first] = storedAt
    if (first === undefined || storedAt.length < telling) return least
    // A clock that was set back makes the line look quick, for as many parts as are remembered.
    const perMs = (storedAt.length - 1) / Math.max(1, clock.nowMs() - first)
    return Math.min(most, Math.max(least, Math.floor(aheadMs * perMs)))
  }

  return {
    stored() {
      storedAt.push(clock.nowMs())
      if (storedAt.length > telling) storedAt.shift()
    },
    bounds(isBatched, left) {
      // Signed here, parts cost no request, and the later the better: their credentials age.
      const ahead = isBatched ? partsAhead() : least
      // Towards the end ever smaller: the last batch leaves when all is hashed, and what is in it is sent after that.
      return { ahead, batch: Math.ceil(Math.max(least / 2, Math.min(ahead, left) / 2)) }
    },
  }
}
