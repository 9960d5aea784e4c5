/** The noise of a figure, over its rounds. */
export interface Spread {
  min: number
  median: number
  max: number
}

/** Throws RangeError without a value. */
export function spreadOf(values: readonly number[]): Spread {
  return { min: percentile(values, 0), median: percentile(values, 0.5), max: percentile(values, 1) }
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** `share` is 0 to 1; between two values, the line that joins them decides. Throws RangeError without a value. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('nothing was measured')
  const sorted = [...values].sort((a, b) => a - b)
  const position = share * (sorted.length - 1)
  const below = sorted[Math.floor(position)] ?? 0
  const above = sorted[Math.ceil(position)] ?? 0
  return below + (above - below) * (position - Math.floor(position))
}
