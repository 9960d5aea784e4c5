import { combineCrc64, crc64, planParts } from '@partway/client/contract'
import { describe, expect, it } from 'vitest'
import type { PartRow } from '../../server/db/part-rows.ts'
import type { ListedPart } from '../../server/oss/object-store.ts'
import { checkParts, plannedParts, refusalMark } from '../../server/uploads/check-parts.ts'

const MiB = 1_048_576
const plan = planParts(2 * MiB + 1, MiB)
const etag = (digit: string) => digit.repeat(32)

const listed = (partNumber: number, changes: Partial<ListedPart> = {}): ListedPart => ({
  partNumber,
  sizeBytes: partNumber === 3 ? 1 : MiB,
  etag: etag(String(partNumber)),
  crc64: String(partNumber),
  lastModified: '2025-01-15T08:30:00.000Z',
  ...changes,
})
const claim = (partNumber: number, changes: Partial<PartRow> = {}): PartRow => ({
  partNumber,
  etag: null,
  crc64: null,
  refused: null,
  ...changes,
})
const all = [listed(1), listed(2), listed(3)]

describe('checkParts', () => {
  it('finds nothing wrong with exactly the planned parts, and joins their CRCs', () => {
    const joined = combineCrc64(combineCrc64(1n, 2n, MiB), 3n, 1)
    expect(checkParts(plan, all, [])).toEqual({ missing: [], mismatched: [], crc64: joined.toString() })
  })

  it('names every missing part', () => {
    expect(checkParts(plan, [listed(2)], []).missing.map((fault) => fault.partNumber)).toEqual([1, 3])
  })

  it('names a part of another size than planned', () => {
    const { mismatched } = checkParts(plan, [listed(1), listed(2, { sizeBytes: MiB - 1 }), listed(3)], [])
    expect(mismatched).toEqual([{ partNumber: 2, reason: 'size' }])
  })

  it('leaves parts beyond the plan out', () => {
    const withFourth = [...all, listed(4)]
    expect(checkParts(plan, withFourth, [])).toEqual(checkParts(plan, all, []))
    expect(plannedParts(plan, withFourth).map((part) => part.partNumber)).toEqual([1, 2, 3])
  })

  it('names a part whose ETag or CRC is not the claimed one', () => {
    const claims = [claim(1, { etag: etag('F') }), claim(2, { crc64: '7' }), claim(3, { etag: etag('3'), crc64: '3' })]
    expect(checkParts(plan, all, claims).mismatched).toEqual([
      { partNumber: 1, reason: 'etag' },
      { partNumber: 2, reason: 'crc64' },
    ])
  })

  it('holds a refused claim against the same stored part', () => {
    const claims = [claim(1, { etag: etag('F'), refused: refusalMark(listed(1)) })]
    expect(checkParts(plan, all, claims).mismatched).toHaveLength(1)
  })

  it('drops a refused claim when the part was sent again, even with the same bytes', () => {
    const claims = [claim(1, { etag: etag('F'), refused: refusalMark(listed(1)) })]
    const sentAgain = [listed(1, { lastModified: '2025-01-15T08:31:00.000Z' }), listed(2), listed(3)]
    expect(checkParts(plan, sentAgain, claims).mismatched).toEqual([])
  })

  it('knows no joined CRC when the service tells none for a part', () => {
    const verdict = checkParts(plan, [listed(1), listed(2, { crc64: null }), listed(3)], [claim(2, { crc64: '7' })])
    expect(verdict).toEqual({ missing: [], mismatched: [], crc64: null })
  })

  it('finds an empty file complete without parts', () => {
    expect(checkParts(planParts(0), [], [])).toEqual({
      missing: [],
      mismatched: [],
      crc64: crc64(new Uint8Array()).toString(),
    })
  })
})
