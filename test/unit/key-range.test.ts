import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { endOfPrefix } from '../../server/db/key-range.ts'

const bytesOf = (text: string) => Buffer.from(text, 'utf8')
const anyText = fc.string({ unit: 'binary' })

describe('the range of keys that begin with a prefix', () => {
  it.each([
    ['uploads/', 'uploads0'],
    ['a', 'b'],
    ['\ud7ff', '\ue000'],
    ['a\u{10ffff}', 'b'],
    ['\u{10ffff}\u{10ffff}', null],
    ['', null],
  ])('of %j ends before %j', (prefix, end) => {
    expect(endOfPrefix(prefix)).toBe(end)
  })

  it('holds a key, compared by its bytes, exactly when it begins with the prefix', () => {
    fc.assert(
      fc.property(anyText, anyText, fc.boolean(), (prefix, other, isJoined) => {
        const key = isJoined ? prefix + other : other
        const end = endOfPrefix(prefix)
        const isIn =
          bytesOf(key).compare(bytesOf(prefix)) >= 0 && (end === null || bytesOf(key).compare(bytesOf(end)) < 0)
        // '' and the greatest characters have no end: everything from them on begins with them.
        expect(isIn).toBe(key.startsWith(prefix))
      }),
      { numRuns: 2_000 },
    )
  })
})
