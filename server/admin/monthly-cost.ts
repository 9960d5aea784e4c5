const BYTES_PER_GB = 2 ** 30

/** What `bytes` cost in a month, in the currency of `pricePerGbMonth` (of 2^30 bytes). Null: no price is set. */
export function monthlyCost(bytes: number, pricePerGbMonth: number | null): number | null {
  return pricePerGbMonth === null ? null : (bytes / BYTES_PER_GB) * pricePerGbMonth
}
