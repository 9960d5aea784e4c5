import { createHmac, createSecretKey, hash, randomBytes } from 'node:crypto'
import type { Prepare } from '../support/contender-process.ts'
import type { SignInput, SignResult } from './input.ts'
import { signForAWhile } from './pace.ts'

/** What signing comes to by node:crypto's own means: one SHA-256 and one HMAC-SHA256 over texts as long as those that are signed, with a key
 *  at hand. */
export const prepare: Prepare<SignInput & { canonicalLength: number; textLength: number }, SignResult> = async (
  input,
) => {
  const textsOf = (length: number) => input.md5s.map(() => randomBytes(length).toString('hex').slice(0, length))
  const canonical = textsOf(input.canonicalLength)
  const toSign = textsOf(input.textLength)
  const key = createSecretKey(randomBytes(32))
  return () =>
    signForAWhile(input, (first, count) => {
      let last = ''
      for (let index = first; index < first + count; index++) {
        last = hash('sha256', canonical[index] ?? '')
        last = createHmac('sha256', key)
          .update(toSign[index] ?? '')
          .digest('hex')
      }
      return last
    })
}
