import { type AdminSort, adminSorts, type UploadState } from '@partway/client/contract'
import { sealPosition } from '../../../server/admin/admin-upload-cursor.ts'
import { type AdminUploadFilter, openStates } from '../../../server/db/admin-upload-filter.ts'
import type { BenchServer } from './bench-server.ts'

const STALE_SECONDS = 86_400

/** One kind of filter, with values that fit what the database holds. */
export interface FilterCase {
  name: string
  filter: AdminUploadFilter
}

/** Pages of one list: from its beginning, its middle, and its end. */
export interface ListCase {
  filter: string
  sort: AdminSort
  order: 'asc' | 'desc'
  matching: number
  paths: string[]
}

const everything: AdminUploadFilter = {
  tenant: null,
  states: openStates,
  idleSeconds: null,
  prefix: null,
  minBytes: null,
}

/** Every filter alone, wide and narrow, and several together. The narrow tenant is the smallest with at least `atLeast` uploads. */
export async function filterCases({ sql }: BenchServer, atLeast: number): Promise<FilterCase[]> {
  const [large, small] = await Promise.all([
    scalar<string>(sql, 'SELECT tenant AS value FROM tenant_usage ORDER BY open_uploads DESC LIMIT 1'),
    scalar<string>(
      sql,
      `SELECT tenant AS value FROM tenant_usage WHERE open_uploads >= ${atLeast} ORDER BY open_uploads LIMIT 1`,
    ),
  ])
  const bytes = (share: number) =>
    scalar<string>(
      sql,
      `SELECT percentile_disc(${share}) WITHIN GROUP (ORDER BY stored_bytes) AS value FROM uploads WHERE state = 'uploading'`,
    )
  const [half, most] = [Number(await bytes(0.5)), Number(await bytes(0.95))]
  const stale = { idleSeconds: STALE_SECONDS }
  const state = (name: UploadState) => ({ states: [name] })
  const cases: Record<string, Partial<AdminUploadFilter>> = {
    none: {},
    stale,
    'state uploading': state('uploading'),
    'state aborting': state('aborting'),
    'state completed': state('completed'),
    'tenant, large': { tenant: large },
    'tenant, small': { tenant: small },
    'prefix of all': { prefix: 'uploads/' },
    'prefix of a large tenant': { prefix: `uploads/${large}/` },
    'prefix of a small tenant': { prefix: `uploads/${small}/` },
    'minBytes, half': { minBytes: half },
    'minBytes, one in 20': { minBytes: most },
    'stale + minBytes': { ...stale, minBytes: most },
    'stale + tenant': { ...stale, tenant: large },
    'stale + prefix': { ...stale, prefix: `uploads/${large}/` },
    'tenant + minBytes + state': { tenant: large, minBytes: most, ...state('uploading') },
    'stale + tenant + prefix + minBytes': { ...stale, tenant: large, prefix: `uploads/${large}/`, minBytes: half },
  }
  return Object.entries(cases).map(([name, part]) => ({ name, filter: { ...everything, ...part } }))
}

/** The lists of a filter: each sort in both orders, with the pages that are asked for. Cursors are sealed as the server does. */
export async function listCases(server: BenchServer, { name, filter }: FilterCase, limit: number): Promise<ListCase[]> {
  const isEnded = !openStates.includes(filter.states[0] ?? 'pending')
  const sorts = adminSorts.filter((sort) => !isEnded || sort !== 'storedBytes')
  const cases: ListCase[] = []
  for (const sort of sorts) {
    // What is left behind the last cursor is half a page: a page that finds the end.
    const { matching, places } = await placesOf(server, filter, sort, Math.ceil(limit / 2))
    for (const order of ['asc', 'desc'] as const) {
      const query = queryOf(filter, sort, order, limit)
      const seal = (row: Place) => sealPosition(server.deps, filter, { sort, direction: order }, row)
      const deep = order === 'asc' ? [places.middle, places.nearEnd] : [places.middle, places.nearBeginning]
      const cursors = await Promise.all(deep.flatMap((row) => (row ? [seal(row)] : [])))
      cases.push({
        filter: name,
        sort,
        order,
        matching,
        paths: [query, ...cursors.map((cursor) => `${query}&cursor=${cursor}`)],
      })
    }
  }
  return cases
}

interface Place {
  value: Date | number
  id: string
}

const columns = { lastActivityAt: 'last_activity_at', storedBytes: 'stored_bytes', createdAt: 'created_at' } as const

/** Found by numbering all rows that match: slow, and sure. */
async function placesOf({ sql }: BenchServer, filter: AdminUploadFilter, sort: AdminSort, fromEnd: number) {
  const values: unknown[] = []
  const given = (value: unknown) => `$${values.push(value)}`
  const conditions = [
    `state = ANY (${given(filter.states)})`,
    ...(filter.tenant === null ? [] : [`tenant = ${given(filter.tenant)}`]),
    ...(filter.idleSeconds === null
      ? []
      : [`last_activity_at <= now() - make_interval(secs => ${given(filter.idleSeconds)})`]),
    ...(filter.prefix === null ? [] : [`starts_with(key, ${given(filter.prefix)})`]),
    ...(filter.minBytes === null ? [] : [`stored_bytes >= ${given(filter.minBytes)}`]),
  ]
  const { rows } = await sql.query<{ value: Date | string; id: string; place: string; matching: string }>(
    `SELECT * FROM (
      SELECT ${columns[sort]} AS value, id, row_number() OVER (ORDER BY ${columns[sort]}, id) AS place, count(*) OVER () AS matching
      FROM uploads WHERE ${conditions.join(' AND ')}) AS numbered
    WHERE place IN (${fromEnd + 1}, matching / 2, matching - ${fromEnd})`,
    values,
  )
  const matching = Number(rows[0]?.matching ?? 0)
  const at = (place: number): Place | null => {
    const row = rows.find((candidate) => Number(candidate.place) === place)
    return row ? { id: row.id, value: row.value instanceof Date ? row.value : Number(row.value) } : null
  }
  return {
    matching,
    places: { nearBeginning: at(fromEnd + 1), middle: at(Math.floor(matching / 2)), nearEnd: at(matching - fromEnd) },
  }
}

function queryOf(filter: AdminUploadFilter, sort: AdminSort, order: 'asc' | 'desc', limit: number): string {
  const query = new URLSearchParams({ sort, order, limit: String(limit) })
  const [state] = filter.states
  if (filter.states.length === 1 && state) query.set('state', state)
  if (filter.tenant !== null) query.set('tenant', filter.tenant)
  if (filter.idleSeconds !== null) query.set('staleForSeconds', String(filter.idleSeconds))
  if (filter.prefix !== null) query.set('prefix', filter.prefix)
  if (filter.minBytes !== null) query.set('minBytes', String(filter.minBytes))
  return `/v1/admin/uploads?${query}`
}

async function scalar<T>(sql: BenchServer['sql'], statement: string): Promise<T> {
  const { rows } = await sql.query<{ value: T }>(statement)
  if (!rows[0]) throw new Error(`no row: ${statement}`)
  return rows[0].value
}
