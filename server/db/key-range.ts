import { Prisma } from '../../prisma/generated/client.ts'

const FIRST_SURROGATE = 0xd800
const AFTER_SURROGATES = 0xe000
const LAST_CODE_POINT = 0x10ffff

/** Keys that begin with `prefix`, as a range: the column is compared by its bytes, and UTF-8 sorts as code points do. No character of a
 *  prefix means anything else than itself, as some would in a pattern. */
export function keyRangeOf(prefix: string): Prisma.Sql {
  const end = endOfPrefix(prefix)
  return end === null ? Prisma.sql`key >= ${prefix}` : Prisma.sql`(key >= ${prefix} AND key < ${end})`
}

/** The first text behind all that begin with `prefix`. Null: there is none. Lone surrogates must not be in it. */
export function endOfPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === LAST_CODE_POINT) continue
    const next = last + 1 === FIRST_SURROGATE ? AFTER_SURROGATES : last + 1
    return String.fromCodePoint(...points, next)
  }
  return null
}
