import { Prisma } from '../../prisma/generated/client.ts'
import {
  type AdminUploadFilter,
  type AdminUploadOrder,
  type AdminUploadPosition,
  type Bound,
  boundsOfSort,
  isAfter,
  isOf,
  openStates,
  orderBy,
  otherBounds,
  sortColumn,
} from './admin-upload-filter.ts'
import type { Queries } from './client.ts'
import { safeNumber, selectUpload, type UploadRow } from './upload-row.ts'

/*
 * Pages of administrators' lists, in bounded time at any depth and under any filters, whatever the planner guesses:
 *
 * - The rows of each state lie in the index of the order one after another. A page takes from the front of each state's what is needed and
 *   merges them: it costs its own length, however deep it is.
 * - Filters on other columns pass over rows. Are there few that match one of them, they are gathered by the index of that filter, and sorted.
 *   Otherwise the order's index is walked, for nearly always a page soon is full; where it is not, the matching rows lie together at the
 *   other end of it, and are gathered after all.
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

/** So many rows are rather gathered and sorted than looked for along the order. */
const FEW = 2_000
/** So many rows of each state are passed over in search of a page. */
const PATIENCE = 5_000

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
): Promise<AdminUploadRow[]> {
  const others = otherBounds(order, filter)
  if (others.length === 0) return read(sql, walk(filter, order, page))
  for (const bound of others) {
    if (await isNarrow(sql, filter, bound)) return read(sql, gather(filter, order, page))
  }
  const rows = await read(sql, walkPatiently(filter, order, page))
  if (rows.length === page.limit || !(await isLongerThanPatience(sql, filter, order, page))) return rows
  return read(sql, gather(filter, order, page))
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
  return all([...boundsOfSort(order, filter), ...(after ? [isAfter(order, after)] : [])])
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

/** Only columns of the order's index are read until the page is found, but for the key. */
function walkPatiently(filter: AdminUploadFilter, order: AdminUploadOrder, page: AdminUploadPage): Prisma.Sql {
  const value = Prisma.sql`value`
  const others = otherBounds(order, filter)
  // A column that is not asked for, and the index would not do by itself.
  const tested = Prisma.join(others.map(({ column }) => column))
  const streams = filter.states.map(
    (state) => Prisma.sql`(
      SELECT id, value FROM (
        SELECT id, ${sortColumn(order)} AS value, ${tested} FROM uploads
        WHERE ${isOf(filter, [state])} AND ${along(filter, order, page)}
        ORDER BY ${orderBy(order, sortColumn(order))} LIMIT ${count(PATIENCE)}) AS walked
      WHERE ${all(others.map(({ condition }) => condition))}
      ORDER BY ${orderBy(order, value)} LIMIT ${count(page.limit)})`,
  )
  return readFound(Prisma.join(streams, ' UNION ALL '), order, page)
}

async function isLongerThanPatience(
  sql: Queries,
  filter: AdminUploadFilter,
  order: AdminUploadOrder,
  page: AdminUploadPage,
): Promise<boolean> {
  const streams = filter.states.map(
    (state) => Prisma.sql`(
      SELECT 1 FROM uploads WHERE ${isOf(filter, [state])} AND ${along(filter, order, page)}
      ORDER BY ${orderBy(order, sortColumn(order))} OFFSET ${count(PATIENCE)} LIMIT 1)`,
  )
  const rows = await sql.$queryRaw<unknown[]>`${Prisma.join(streams, ' UNION ALL ')} LIMIT 1`
  return rows.length > 0
}

/** Whether few rows are within a bound. Looks at few: ordered as its index, for otherwise a limit tempts planners into reading the table. */
async function isNarrow(sql: Queries, filter: AdminUploadFilter, { condition, index }: Bound): Promise<boolean> {
  const streams = indexParts(filter, index).map(
    (part) => Prisma.sql`(SELECT 1 FROM uploads WHERE ${part} AND ${condition} ORDER BY ${index} LIMIT ${count(FEW)})`,
  )
  const [counted] = await sql.$queryRaw<{ rows: number }[]>`
    SELECT count(*)::int AS rows FROM (${Prisma.join(streams, ' UNION ALL ')}) AS within`
  return (counted?.rows ?? 0) < FEW
}

/** The parts of an index in which the rows lie in its order: by state, but for that of keys, which has those of everybody in any state. */
function indexParts(filter: AdminUploadFilter, index: Bound['index']): Prisma.Sql[] {
  if (index.sql !== 'key') return filter.states.map((state) => isOf(filter, [state]))
  return [
    filter.states.some((state) => !openStates.includes(state)) ? Prisma.sql`TRUE` : isOf({ tenant: null }, openStates),
  ]
}

/** All matching rows by whichever index finds them soonest. Materialized: with the limit in sight, planners take the order's. */
function gather(filter: AdminUploadFilter, order: AdminUploadOrder, page: AdminUploadPage): Prisma.Sql {
  const others = otherBounds(order, filter).map(({ condition }) => condition)
  const found = Prisma.sql`
    WITH matching AS MATERIALIZED (
      SELECT id, ${sortColumn(order)} AS value FROM uploads
      WHERE ${isOf(filter, filter.states)} AND ${along(filter, order, page)} AND ${all(others)})
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
