import type { AdminSort, UploadState } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import { keyRangeOf } from './key-range.ts'

/* Which rows an administrator's list is about, and in which order, as pieces of SQL. */

export interface AdminUploadFilter {
  /** Null: everybody's. */
  tenant: string | null
  /** Not empty. */
  states: readonly UploadState[]
  /** Idle for at least so long. */
  idleSeconds: number | null
  /** Keys begin with it. */
  prefix: string | null
  /** Holding at least so many bytes. */
  minBytes: number | null
}

export interface AdminUploadOrder {
  sort: AdminSort
  direction: 'asc' | 'desc'
}

/** Where a page ends: the row's id, and what it is sorted by. */
export interface AdminUploadPosition {
  value: Date | number
  id: string
}

const columns = {
  lastActivityAt: { name: 'last_activity_at', type: 'timestamptz' },
  storedBytes: { name: 'stored_bytes', type: 'bigint' },
  createdAt: { name: 'created_at', type: 'timestamptz' },
} as const satisfies Record<AdminSort, unknown>

/** Those in which an upload holds parts. */
export const openStates: readonly UploadState[] = ['pending', 'uploading', 'completing', 'aborting']

/** A condition on one column. */
export interface Bound {
  column: Prisma.Sql
  condition: Prisma.Sql
}

/** Conditions on the column that is sorted by: they say where in its index to begin and end. */
export function boundsOfSort({ sort }: AdminUploadOrder, filter: AdminUploadFilter): Prisma.Sql[] {
  const bounds: Prisma.Sql[] = []
  // Nothing is idle for longer than it exists.
  if (sort !== 'storedBytes' && filter.idleSeconds !== null) bounds.push(idleFor(sort, filter.idleSeconds))
  if (sort === 'storedBytes' && filter.minBytes !== null) bounds.push(holding(filter.minBytes))
  return bounds
}

/** Whether every position of the order lies within {@link boundsOfSort}, because the order begins at that bound. */
export function isBoundBehind({ sort, direction }: AdminUploadOrder): boolean {
  return direction === (sort === 'storedBytes' ? 'asc' : 'desc')
}

/** The conditions on other columns of the order's index: it can be passed over what does not meet them without a look at the rows. */
export function otherBounds({ sort }: AdminUploadOrder, { idleSeconds, minBytes }: AdminUploadFilter): Bound[] {
  const bounds: Bound[] = []
  if (sort !== 'lastActivityAt' && idleSeconds !== null) {
    bounds.push({ column: Prisma.sql`last_activity_at`, condition: idleFor('lastActivityAt', idleSeconds) })
  }
  if (sort !== 'storedBytes' && minBytes !== null) {
    bounds.push({ column: Prisma.sql`stored_bytes`, condition: holding(minBytes) })
  }
  return bounds
}

/** The condition on the key, which stands in no index of an order. */
export function boundsOfKey({ prefix }: AdminUploadFilter): Prisma.Sql[] {
  return prefix ? [keyRangeOf(prefix)] : []
}

/** The column that is sorted by. */
export function sortColumn({ sort }: AdminUploadOrder): Prisma.Sql {
  return Prisma.raw(columns[sort].name)
}

/** What ORDER BY says; `value` is the column, or another name for it. */
export function orderBy({ direction }: AdminUploadOrder, value: Prisma.Sql): Prisma.Sql {
  const way = Prisma.raw(direction)
  return Prisma.sql`${value} ${way}, id ${way}`
}

/** Behind a position. A comparison of pairs is what an index on (…, value, id) can begin at. */
export function isAfter({ sort, direction }: AdminUploadOrder, position: AdminUploadPosition): Prisma.Sql {
  const { name, type } = columns[sort]
  const [column, sign, kind] = [name, direction === 'asc' ? '>' : '<', type].map((text) => Prisma.raw(text))
  return Prisma.sql`(${column}, id) ${sign} (${position.value}::${kind}, ${position.id})`
}

/** Of whom, and in which of the states. States stand as they are in the statement: indexes of open uploads say the same of theirs. */
export function isOf(filter: Pick<AdminUploadFilter, 'tenant'>, states: readonly UploadState[]): Prisma.Sql {
  const names = states.map((state) => `'${state}'`)
  const state = Prisma.raw(names.length === 1 ? `state = ${names[0]}` : `state IN (${names.join(', ')})`)
  return filter.tenant === null ? state : Prisma.sql`tenant = ${filter.tenant} AND ${state}`
}

function idleFor(sort: 'lastActivityAt' | 'createdAt', seconds: number): Prisma.Sql {
  return Prisma.sql`${Prisma.raw(columns[sort].name)} <= now() - make_interval(secs => ${seconds}::double precision)`
}

function holding(minBytes: number): Prisma.Sql {
  return Prisma.sql`stored_bytes >= ${minBytes}::bigint`
}
