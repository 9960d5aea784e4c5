import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { findOrInsertKey } from '../db/server-keys.ts'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'

/*
 * Cursors, and ids of what has no row, are given to callers to hand back. They are sealed: opaque enough to be left alone, and of no use
 * when somebody makes one up, changes one, or uses it for another purpose than it was given for.
 */

const KEY_BYTES = 32
const TAG_BYTES = 16

const keys = new WeakMap<Deps['db'], Promise<Buffer>>()

/** Read once per process; not remembered when that fails. */
function keyOf({ db }: Pick<Deps, 'db'>): Promise<Buffer> {
  let key = keys.get(db)
  if (!key) {
    key = findOrInsertKey(db.prisma, 'cursors', randomBytes(KEY_BYTES))
    keys.set(db, key)
    key.catch(() => keys.delete(db))
  }
  return key
}

function tagOf(key: Buffer, purpose: string, text: string): Buffer {
  return createHmac('sha256', key).update(`${purpose}\n${text}`).digest().subarray(0, TAG_BYTES)
}

/** `value`, which must be JSON, sealed for `purpose`: base64url text. A purpose names everything the value must not be used without:
 *  the list, its filters, whose rows. */
export async function seal(deps: Pick<Deps, 'db'>, purpose: string, value: unknown): Promise<string> {
  const text = JSON.stringify(value)
  return Buffer.concat([tagOf(await keyOf(deps), purpose, text), Buffer.from(text)]).toString('base64url')
}

/** What was sealed for this purpose, or null for anything else. */
export async function unseal(deps: Pick<Deps, 'db'>, purpose: string, sealed: string): Promise<unknown> {
  const bytes = Buffer.from(sealed, 'base64url')
  // Other texts can stand for the same bytes.
  if (bytes.length <= TAG_BYTES || bytes.toString('base64url') !== sealed) return null
  const text = bytes.subarray(TAG_BYTES).toString('utf8')
  const isOurs = timingSafeEqual(bytes.subarray(0, TAG_BYTES), tagOf(await keyOf(deps), purpose, text))
  return isOurs ? JSON.parse(text) : null
}

/** The problem with a cursor that was not sealed for this list. */
export function foreignCursor(): Problem {
  const errors = [{ detail: 'must be the nextCursor of a page with the same filters', pointer: '/query/cursor' }]
  return new Problem('invalid-request', 'The cursor is not of this list.', { errors })
}
