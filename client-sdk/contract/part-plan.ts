/**
 * How a file is cut into parts. Pure, and free of zod, so that SDK and server share this one copy.
 * Limits: OSS "Multipart upload" and "Limits": parts of 100 KB to 5 GB, numbered 1 to 10,000; only the last may be shorter.
 * Partway's own floor of 1 MiB keeps the request count of a large file sane.
 */
export const MAX_PARTS = 10_000
/** 1 MiB. */
export const MIN_PART_BYTES = 1_048_576
/** 5 GiB. */
export const MAX_PART_BYTES = 5_368_709_120
/** 8 MiB. */
export const DEFAULT_PART_BYTES = 8_388_608
/** 48.8 TiB: MAX_PARTS parts of MAX_PART_BYTES. */
export const MAX_OBJECT_BYTES = MAX_PARTS * MAX_PART_BYTES

/** Equal parts of `partSizeBytes`; the last one may be shorter. An empty file has no part. */
export interface PartPlan {
  sizeBytes: number
  partSizeBytes: number
  partCount: number
}

/**
 * Plans the parts of a file of `sizeBytes` (an integer in [0, MAX_OBJECT_BYTES]). `partSizeBytes` is the wish, by default
 * DEFAULT_PART_BYTES; it grows, in whole MiB, as far as MAX_PARTS asks for. Throws RangeError outside the limits.
 */
export function planParts(sizeBytes: number, partSizeBytes: number = DEFAULT_PART_BYTES): PartPlan {
  if (!Number.isInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > MAX_OBJECT_BYTES) {
    throw new RangeError(`sizeBytes must be an integer from 0 to ${MAX_OBJECT_BYTES}`)
  }
  if (!Number.isInteger(partSizeBytes) || partSizeBytes < MIN_PART_BYTES || partSizeBytes > MAX_PART_BYTES) {
    throw new RangeError(`partSizeBytes must be an integer from ${MIN_PART_BYTES} to ${MAX_PART_BYTES}`)
  }
  const neededBytes = Math.ceil(sizeBytes / MAX_PARTS / MIN_PART_BYTES) * MIN_PART_BYTES
  const chosenBytes = Math.max(partSizeBytes, neededBytes)
  return { sizeBytes, partSizeBytes: chosenBytes, partCount: Math.ceil(sizeBytes / chosenBytes) }
}

/** The bytes of part `partNumber` (1 … partCount): `start` inclusive, `end` exclusive. Throws RangeError for other numbers. */
export function partRange(plan: PartPlan, partNumber: number): { start: number; end: number } {
  if (!isPlannedPart(plan, partNumber)) throw new RangeError(`part ${partNumber} is not one of ${plan.partCount}`)
  const start = (partNumber - 1) * plan.partSizeBytes
  return { start, end: Math.min(start + plan.partSizeBytes, plan.sizeBytes) }
}

/** The size of part `partNumber` in bytes; bounds as {@link partRange}. */
export function partSize(plan: PartPlan, partNumber: number): number {
  const { start, end } = partRange(plan, partNumber)
  return end - start
}

/** Whether the plan has a part of this number. */
export function isPlannedPart(plan: PartPlan, partNumber: number): boolean {
  return Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= plan.partCount
}

/** Sorted part numbers as inclusive ranges: [1, 2, 3, 7] → [[1, 3], [7, 7]]. */
export function toPartRanges(sortedNumbers: Iterable<number>): [first: number, last: number][] {
  const ranges: [number, number][] = []
  for (const number of sortedNumbers) {
    const open = ranges.at(-1)
    if (open && open[1] === number - 1) open[1] = number
    else ranges.push([number, number])
  }
  return ranges
}

/** The part numbers of inclusive ranges, as a set. */
export function fromPartRanges(ranges: Iterable<readonly [first: number, last: number]>): Set<number> {
  const numbers = new Set<number>()
  for (const [first, last] of ranges) for (let number = first; number <= last; number++) numbers.add(number)
  return numbers
}
