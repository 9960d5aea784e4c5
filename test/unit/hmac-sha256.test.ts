import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createHmacSha256 } from '../../server/oss/hmac-sha256.ts'

describe('HMAC-SHA256 by one-shot hashes', () => {
  it.each([0, 1, 32, 64])(
    'is that of node:crypto for a key of %s bytes, whatever the length of the text',
    (keyBytes) => {
      const key = randomBytes(keyBytes)
      const startWith = createHmacSha256(key)
      const hmacs = ['', 'a start, ü', 's'.repeat(64)].map((start) => ({ start, hmac: startWith(start) }))
      for (const end of ['', 'a', 'ü€😀', 'x'.repeat(63), 'y'.repeat(64), 'z'.repeat(1000), 'y'.repeat(64), '']) {
        for (const { start, hmac } of hmacs) {
          expect(hmac(end)).toBe(createHmac('sha256', key).update(`${start}${end}`).digest('hex'))
        }
      }
    },
  )

  it('refuses a key that would have to be hashed first', () => {
    expect(() => createHmacSha256(randomBytes(65))).toThrow(RangeError)
  })
})
