/** Durations in milliseconds. */
export type Samples = number[]

/** The value that `share` of the samples do not exceed. */
export function percentile(samples: Samples, share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const p50 = (samples: Samples) => percentile(samples, 0.5)
export const p95 = (samples: Samples) => percentile(samples, 0.95)

/** The same order on every run. */
export function shuffle<T>(items: readonly T[], round: number): T[] {
  let state = 0x9e3779b9 ^ round
  const shuffled = [...items]
  for (let last = shuffled.length - 1; last > 0; last--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = state % (last + 1)
    const [a, b] = [shuffled[last], shuffled[other]]
    if (a !== undefined && b !== undefined) [shuffled[last], shuffled[other]] = [b, a]
  }
  return shuffled
}
