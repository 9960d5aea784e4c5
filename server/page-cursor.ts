import { z } from 'zod'
import { Problem } from './problem.ts'

/** Where a page of a list that is ordered by time and id ends. */
export interface PagePosition {
  createdAt: Date
  id: string
}

const Cursor = z.tuple([z.iso.datetime(), z.string()])

/** A position as callers are given it, to hand it back. */
export function writeCursor({ createdAt, id }: PagePosition): string {
  return Buffer.from(JSON.stringify([createdAt.toISOString(), id])).toString('base64url')
}

/** The position behind a cursor that a caller sent, whose id must match `idPattern`. Throws `invalid-request`. */
export function readCursor(cursor: string, idPattern: RegExp): PagePosition {
  try {
    const [createdAt, id] = Cursor.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')))
    const instant = new Date(createdAt)
    // Only what writeCursor writes: other forms of the same instant, or years Postgres does not know, are not ours.
    const isOurs = instant.toISOString() === createdAt && instant.getTime() >= 0 && idPattern.test(id)
    if (!isOurs) throw new RangeError('not a cursor of ours')
    return { createdAt: instant, id }
  } catch (cause) {
    const errors = [{ detail: 'must be the nextCursor of an earlier page', pointer: '/query/cursor' }]
    throw new Problem('invalid-request', 'The cursor is not one of ours.', { cause, errors })
  }
}
