/** An amount per second, smoothed. */
export interface Speed {
  /** So much more was done. */
  add(amount: number): void
  /** 0 until there is something to go by. */
  perSecond(): number
  /** Forgets what was measured; `perSecond` begins from what somebody else has seen. */
  reset(perSecond?: number): void
}

/** The speed forgets half of what it knew in this time. */
const halfLifeMs = 3000
/** Samples closer together than this say more about buffers than about the network. */
const sampleMs = 250

/** Pure but for `nowMs`, a clock in ms. */
export function createSpeed(nowMs: () => number): Speed {
  let perSecond = 0
  let fresh = 0
  let sampledAtMs: number | undefined

  function measure() {
    const now = nowMs()
    sampledAtMs ??= now
    const elapsedMs = now - sampledAtMs
    if (elapsedMs < sampleMs) return
    const kept = perSecond === 0 ? 0 : 0.5 ** (elapsedMs / halfLifeMs)
    perSecond = perSecond * kept + ((fresh * 1000) / elapsedMs) * (1 - kept)
    sampledAtMs = now
    fresh = 0
  }

  return {
    add(amount) {
      // What came before the first sample took nobody knows how long.
      if (sampledAtMs !== undefined) fresh += amount
      measure()
    },
    perSecond() {
      measure()
      return perSecond
    },
    reset(known = 0) {
      perSecond = known
      fresh = 0
      sampledAtMs = undefined
    },
  }
}
