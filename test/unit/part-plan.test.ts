import {
  DEFAULT_PART_BYTES,
  fromPartRanges,
  MAX_OBJECT_BYTES,
  MAX_PART_BYTES,
  MAX_PARTS,
  MIN_PART_BYTES,
  partRange,
  partSize,
  planParts,
  toPartRanges,
} from '@partway/client/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 200 * MIN_PART_BYTES }),
  fc.maxSafeInteger().map((n) => Math.abs(n) % (MAX_OBJECT_BYTES + 1)),
)

describe('planParts', () => {
  it('cuts a file of 20 MiB into parts of 8, 8 and 4 MiB', () => {
    const plan = planParts(20 * 1_048_576)
    expect(plan).toEqual({ sizeBytes: 20_971_520, partSizeBytes: DEFAULT_PART_BYTES, partCount: 3 })
    expect([1, 2, 3].map((part) => partSize(plan, part))).toEqual([8_388_608, 8_388_608, 4_194_304])
  })

  it('plans no part for an empty file', () => {
    expect(planParts(0).partCount).toBe(0)
  })

  it('grows the parts of a file of more than 10,000 × 8 MiB', () => {
    expect(planParts(MAX_PARTS * DEFAULT_PART_BYTES)).toMatchObject({
      partSizeBytes: DEFAULT_PART_BYTES,
      partCount: 10_000,
    })
    const larger = planParts(MAX_PARTS * DEFAULT_PART_BYTES + 1)
    expect(larger.partSizeBytes).toBe(9 * 1_048_576)
    expect(larger.partCount).toBeLessThanOrEqual(MAX_PARTS)
  })

  it('reaches the largest object there can be, and not a byte more', () => {
    expect(MAX_OBJECT_BYTES).toBe(53_687_091_200_000)
    expect(planParts(MAX_OBJECT_BYTES)).toMatchObject({ partSizeBytes: MAX_PART_BYTES, partCount: MAX_PARTS })
    expect(() => planParts(MAX_OBJECT_BYTES + 1)).toThrow(RangeError)
  })

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a size of %s', (size) => {
    expect(() => planParts(size)).toThrow(RangeError)
  })

  it.each([0, MIN_PART_BYTES - 1, MAX_PART_BYTES + 1, 1_048_576.5])('refuses a part size of %s', (size) => {
    expect(() => planParts(1, size)).toThrow(RangeError)
  })

  it('covers every byte exactly once within the limits of OSS, for any size and wish', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: MIN_PART_BYTES, max: MAX_PART_BYTES }), (size, wish) => {
        const plan = planParts(size, wish)
        expect(plan.partSizeBytes).toBeGreaterThanOrEqual(wish)
        expect(plan.partSizeBytes).toBeLessThanOrEqual(MAX_PART_BYTES)
        expect(plan.partCount).toBeLessThanOrEqual(MAX_PARTS)
        expect(plan.partCount === 0).toBe(size === 0)
        const probes = new Set([1, 2, Math.ceil(plan.partCount / 2), plan.partCount - 1, plan.partCount])
        for (const part of probes) {
          if (part < 1 || part > plan.partCount) continue
          const { start, end } = partRange(plan, part)
          expect(end - start).toBeGreaterThan(0)
          if (part < plan.partCount) expect(end - start).toBe(plan.partSizeBytes)
          expect(end).toBe(part === plan.partCount ? size : partRange(plan, part + 1).start)
        }
      }),
    )
  })

  it('has no part 0, none beyond the last, and none in between', () => {
    const plan = planParts(20 * 1_048_576)
    for (const part of [0, 4, 1.5, Number.NaN]) expect(() => partRange(plan, part)).toThrow(RangeError)
  })
})

describe('toPartRanges', () => {
  it('joins consecutive numbers', () => {
    expect(toPartRanges([1, 2, 3, 7, 9, 10])).toEqual([
      [1, 3],
      [7, 7],
      [9, 10],
    ])
  })

  it('is undone by fromPartRanges', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 })), (numbers) => {
        const sorted = numbers.sort((a, b) => a - b)
        expect([...fromPartRanges(toPartRanges(sorted))]).toEqual(sorted)
      }),
    )
  })
})
