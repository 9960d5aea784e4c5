/* What the table of uploads shows, as the address keeps it and as the server is asked. Pure. */
import type { AdminSort, RequestQuery, UploadState } from '@partway/client/contract'

export interface UploadFilter {
  staleForSeconds: number | null
  /** Null: all that are not ended. */
  state: UploadState | null
  tenant: string
  prefix: string
  minBytes: number | null
  sort: AdminSort
  order: 'asc' | 'desc'
}

export const noFilter: UploadFilter = {
  staleForSeconds: null,
  state: null,
  tenant: '',
  prefix: '',
  minBytes: null,
  sort: 'lastActivityAt',
  order: 'asc',
}

const states = ['pending', 'uploading', 'completing', 'completed', 'aborting', 'aborted'] as const
const sorts = ['lastActivityAt', 'storedBytes', 'createdAt'] as const

export const isEnded = (state: UploadState | null) => state === 'completed' || state === 'aborted'

/** Whether it leaves anything out; an order does not. */
export function isFiltered({ staleForSeconds, state, tenant, prefix, minBytes }: UploadFilter): boolean {
  return staleForSeconds !== null || state !== null || tenant !== '' || prefix !== '' || minBytes !== null
}

/** The order in which a column is looked at first: what is longest idle, oldest, or largest. */
export function firstOrder(sort: AdminSort, state: UploadState | null): 'asc' | 'desc' {
  return sort === 'storedBytes' || isEnded(state) ? 'desc' : 'asc'
}

/** Ended uploads hold no parts: the server refuses to filter or sort them by what they hold. */
export function sensible(filter: UploadFilter): UploadFilter {
  if (!isEnded(filter.state)) return filter
  if (filter.sort !== 'storedBytes') return { ...filter, minBytes: null }
  return { ...filter, minBytes: null, sort: 'lastActivityAt', order: 'desc' }
}

export function queryOf(filter: UploadFilter, cursor: string | null): RequestQuery<'listAdminUploads'> {
  const { staleForSeconds, state, tenant, prefix, minBytes, sort, order } = sensible(filter)
  return {
    ...(staleForSeconds === null ? {} : { staleForSeconds: `${staleForSeconds}` }),
    ...(state === null ? {} : { state }),
    ...(tenant === '' ? {} : { tenant }),
    ...(prefix === '' ? {} : { prefix }),
    ...(minBytes === null ? {} : { minBytes: `${minBytes}` }),
    sort,
    order,
    ...(cursor === null ? {} : { cursor }),
    limit: '20',
  }
}

/** For the address's fragment; empty for {@link noFilter}. */
export function fragmentOf(filter: UploadFilter): string {
  const fields = new URLSearchParams()
  for (const [name, value] of Object.entries(filter)) {
    if (value !== null && value !== noFilter[name as keyof UploadFilter]) fields.set(name, `${value}`)
  }
  return fields.toString()
}

/** Reads a fragment, which anybody may have written: what it says wrongly is as if it were not said. */
export function filterOf(fragment: string): UploadFilter {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''))
  const whole = (name: string, most: number) => {
    const text = fields.get(name) ?? ''
    return /^[0-9]{1,16}$/.test(text) && Number(text) <= most ? Number(text) : null
  }
  const oneOf = <Word extends string>(name: string, words: readonly Word[]) =>
    words.find((word) => word === fields.get(name)) ?? null
  const sort = oneOf('sort', sorts) ?? noFilter.sort
  const state = oneOf('state', states)
  return sensible({
    staleForSeconds: whole('staleForSeconds', 999_999_999),
    state,
    tenant: fields.get('tenant') ?? '',
    prefix: fields.get('prefix') ?? '',
    minBytes: whole('minBytes', Number.MAX_SAFE_INTEGER),
    sort,
    order: oneOf('order', ['asc', 'desc']) ?? firstOrder(sort, state),
  })
}
