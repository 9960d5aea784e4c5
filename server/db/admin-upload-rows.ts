import { Prisma } from '../../prisma/generated/client.ts'
import {
  type AdminUploadFilter,
  type AdminUploadOrder,
  type AdminUploadPosition,
  boundsOfKey,
  boundsOfSort,
  isAfter,
  isBoundBehind,
  isOf,
  openStates,
  orderBy,
  otherBounds,
  sortColumn,
} from './admin-upload-filter.ts'
import type { Queries } from './client.ts'
import { keyRangeOf } from './key-range.ts'
import { safeNumber, selectUpload, type UploadRow } from './upload-row.ts'

/*
 * Pages of administrators' lists, in bounded time at any depth and under any filters, whatever the planner guesses:
 *
 * - The rows of each state lie in the index of the order one after another. A page takes from the front of each state's what is needed and
 *   merges them: it costs its own length, however deep it is.
 * - Filters on other columns pass over rows of that walk. Most often a page soon is full all the same. Where it is not, there are few rows
 *   that match, or they lie together at the other end: then all of them are gathered, by the index of a filter, and sorted. Keys stand in no
 *   index of an order, so passing over them is dear: with few of a prefix, gathering comes first.
 */

const fields = [
  'id',
  'tenant',
  'subject',
  'state',
  'fileName',
  'contentType',
  'bucket',
  'key',
  'sizeBytes',
  'partSizeBytes',
  'storedBytes',
  'reconciledAt',
  'createdAt',
  'lastActivityAt',
  'grantsAliveUntil',
  'credentialsAliveUntil',
  'completedAt',
  'abortReason',
  'adoptedAt',
] as const satisfies readonly (keyof UploadRow)[]

/** What a list shows of a row. */
export type AdminUploadRow = Pick<UploadRow, (typeof fields)[number] | 'readAt'>

type RawAdminUpload = Omit<AdminUploadRow, 'sizeBytes' | 'partSizeBytes' | 'storedBytes'> &
  Record<'sizeBytes' | 'partSizeBytes' | 'storedBytes', bigint>

const columns = selectUpload(fields)

export interface SearchBounds {
  /** With fewer keys of a prefix than this, its rows are gathered at once. */
  few: number
  /** So many rows of each state are passed over in search of a page. */
  patience: number
}

const defaultBounds: SearchBounds = { few: 2_000, patience: 5_000 }

export interface AdminUploadPage {
  after: AdminUploadPosition | null
  /** At most. */
  limit: number
}

/** A list's rows, beginning after `page.after`. */
export async function listAdminUploadRows(
  sql: Queries,
  filter: AdminUploadFilter,
  order: AdminUploadOrder,
  page: AdminUploadPage,
  { few, patience }: SearchBounds = defaultBounds,
): Promise<AdminUploadRow[]> {
  if (!filter.prefix && otherBounds(order, filter).length === 0) return read(sql, walk(filter, order, page))
  if (filter.prefix && (await isNarrow(sql, filter, filter.prefix, few)))
    return read(sql, gather(filter, order, page, boundsOfKey(filter)))
  const rows = await read(sql, walkPatiently(filter, order, page, patience))
  if (rows.length === page.limit || !(await isLongerThan(sql, filter, order, page, patience))) return rows
  const isKeyAlone = otherBounds(order, filter).length === 0
  return read(sql, gather(filter, order, page, isKeyAlone ? boundsOfKey(filter) : keyLookedUp(filter, 'meeting')))
}

async function read(sql: Queries, statement: Prisma.Sql): Promise<AdminUploadRow[]> {
  const rows = await sql.$queryRaw<RawAdminUpload[]>(statement)
  return rows.map((row) => ({
    ...row,
    sizeBytes: safeNumber(row.sizeBytes),
    partSizeBytes: safeNumber(row.partSizeBytes),
    storedBytes: safeNumber(row.storedBytes),
  }))
}

/** Conditions that the order's index answers by where it begins and ends. */
function along(filter: AdminUploadFilter, order: AdminUploadOrder, { after }: Pick<AdminUploadPage, 'after'>) {
  if (!after) return all(boundsOfSort(order, filter))
  // Of two bounds at the end where a walk begins, Postgres may begin at the farther one.
  return all([...(isBoundBehind(order) ? [] : boundsOfSort(order, filter)), isAfter(order, after)])
}

function walk(filter: AdminUploadFilter, order: AdminUploadOrder, page: AdminUploadPage): Prisma.Sql {
  const streams = filter.states.map(
    (state) => Prisma.sql`(
      SELECT ${columns} FROM uploads WHERE ${isOf(filter, [state])} AND ${along(filter, order, page)}
      ORDER BY ${orderBy(order, sortColumn(order))} LIMIT ${count(page.limit)})`,
  )
  return Prisma.sql`
    SELECT * FROM (${Prisma.join(streams, ' UNION ALL ')}) AS merged
    ORDER BY ${orderBy(order, Prisma.raw(`"${order.sort}"`))} LIMIT ${count(page.limit)}`
}

/** Only columns of the order's index are read until the page is found, but for the keys of rows that meet every other condition. */
function walkPatiently(
  filter: AdminUploadFilter,
  order: AdminUploadOrder,
  page: AdminUploadPage,
  patience: number,
): Prisma.Sql {
  const value = Prisma.sql`value`
  const others = otherBounds(order, filter)
  const read = Prisma.join([
    Prisma.sql`id`,
    Prisma.sql`${sortColumn(order)} AS value`,
    ...others.map(({ column }) => column),
  ])
  const ofKey = keyLookedUp(filter, 'walked')
  const streams = filter.states.map(
    (state) => Prisma.sql`(
      SELECT id, value FROM (
        SELECT ${read} FROM uploads WHERE ${isOf(filter, [state])} AND ${along(filter, order, page)}
        ORDER BY ${orderBy(order, sortColumn(order))} LIMIT ${count(patience)}) AS walked
      WHERE ${all([...others.map(({ condition }) => condition), ...ofKey])}
      ORDER BY ${orderBy(order, value)} LIMIT ${count(page.limit)})`,
  )
  return readFound(Prisma.join(streams, ' UNION ALL '), order, page)
}

/** Whether there are more rows along the order than were looked at. */
async function isLongerThan(
  sql: Queries,
  filter: AdminUploadFilter,
  order: AdminUploadOrder,
  page: AdminUploadPage,
  patience: number,
): Promise<boolean> {
  const streams = filter.states.map(
    (state) => Prisma.sql`(
      SELECT id FROM uploads WHERE ${isOf(filter, [state])} AND ${along(filter, order, page)}
      ORDER BY ${orderBy(order, sortColumn(order))} OFFSET ${count(patience)} LIMIT 1)`,
  )
  const rows = await sql.$queryRaw<unknown[]>`SELECT 1 FROM (${Prisma.join(streams, ' UNION ALL ')}) AS further LIMIT 1`
  return rows.length > 0
}

/** Whether few keys begin with the prefix. Looks at few: in the order of keys, for otherwise a limit tempts planners into reading the table. */
async function isNarrow(sql: Queries, { states }: AdminUploadFilter, prefix: string, few: number): Promise<boolean> {
  const areOpen = states.every((state) => openStates.includes(state))
  const [counted] = await sql.$queryRaw<{ keys: number }[]>`
    SELECT count(*)::int AS keys FROM (
      SELECT 1 FROM uploads WHERE ${keyRangeOf(prefix)} AND ${areOpen ? isOf({ tenant: null }, openStates) : all([])}
      ORDER BY key LIMIT ${count(few)}) AS few`
  return (counted?.keys ?? 0) < few
}

/** The condition on the key for rows of a subquery, one look-up for each: as a join, a planner would rather begin with all keys of the prefix. */
function keyLookedUp(filter: AdminUploadFilter, subquery: 'walked' | 'meeting'): Prisma.Sql[] {
  const id = Prisma.raw(`${subquery}.id`)
  return boundsOfKey(filter).map((condition) => Prisma.sql`(SELECT ${condition} FROM uploads WHERE uploads.id = ${id})`)
}

/** All matching rows by whichever index finds them soonest. Materialized: with the limit in sight, planners take the order's. */
function gather(
  filter: AdminUploadFilter,
  order: AdminUploadOrder,
  page: AdminUploadPage,
  ofKey: readonly Prisma.Sql[],
): Prisma.Sql {
  const others = otherBounds(order, filter).map(({ condition }) => condition)
  const found = Prisma.sql`
    WITH matching AS MATERIALIZED (
      SELECT id, ${sortColumn(order)} AS value FROM uploads AS meeting
      WHERE ${isOf(filter, filter.states)} AND ${along(filter, order, page)} AND ${all([...others, ...ofKey])})
    SELECT id, value FROM matching`
  return readFound(found, order, page)
}

/** The first of the rows found, by order, with their columns. */
function readFound(found: Prisma.Sql, order: AdminUploadOrder, page: AdminUploadPage): Prisma.Sql {
  const value = Prisma.sql`value`
  return Prisma.sql`
    SELECT ${columns} FROM (
      SELECT id, value FROM (${found}) AS found ORDER BY ${orderBy(order, value)} LIMIT ${count(page.limit)}) AS page
    JOIN uploads USING (id) ORDER BY ${orderBy(order, value)}`
}

const all = (conditions: readonly Prisma.Sql[]) =>
  conditions.length === 0 ? Prisma.sql`TRUE` : Prisma.join([...conditions], ' AND ')

/** A number of the server's own, as it is: planners reckon with what they read. */
const count = (value: number) => Prisma.raw(String(Math.trunc(value)))
