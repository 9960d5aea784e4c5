import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc64 } from '../../client-sdk/contract/crc64.ts'
import { partRange } from '../../client-sdk/contract/part-plan.ts'
import { createPartLedger } from '../../client-sdk/part-ledger.ts'

describe('the ledger of parts', () => {
  it('gives the checksum of the whole from its parts, in whatever order they were hashed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 60 }), fc.nat(), (bytes, size, seed) => {
        const plan = { sizeBytes: bytes.length, partSizeBytes: size, partCount: Math.ceil(bytes.length / size) }
        const ledger = createPartLedger(plan)
        const numbers = Array.from({ length: plan.partCount }, (_, index) => index + 1)
        numbers.sort((a, b) => ((a * 7919 + seed) % 101) - ((b * 7919 + seed) % 101))
        for (const number of numbers) {
          const { start, end } = partRange(plan, number)
          expect(ledger.hashed(number, crc64(bytes.subarray(start, end)))).toBe(true)
        }
        expect(ledger.wholeCrc64()).toBe(crc64(bytes))
      }),
    )
  })

  it('notices a part that hashes to something else the second time', () => {
    const ledger = createPartLedger({ sizeBytes: 10, partSizeBytes: 5, partCount: 2 })
    expect(ledger.hashed(1, 7n)).toBe(true)
    expect(ledger.hashed(1, 7n)).toBe(true)
    expect(ledger.hashed(1, 8n)).toBe(false)
    expect(ledger.crc64Of(1)).toBe(7n)
  })

  it('has no checksum of the whole while a part is unknown, a checksum of zero included', () => {
    const ledger = createPartLedger({ sizeBytes: 10, partSizeBytes: 5, partCount: 2 })
    ledger.hashed(1, 0n)
    expect(ledger.crc64Of(1)).toBe(0n)
    expect(ledger.crc64Of(2)).toBeUndefined()
    expect(() => ledger.wholeCrc64()).toThrow('part 2 was never hashed')
  })
})
