/* A tenant's limits as the page names, counts and asks for them. Pure. */
import type { Tenant, TenantLimits, TenantUsage } from '@partway/client/contract'
import { sizeText } from '../shared/figures.ts'

export type LimitName = keyof TenantLimits

interface LimitWords {
  limit: LimitName
  /** What is held against it. */
  usage: keyof TenantUsage
  name: string
  /** What it is asked for in, and how many of the limit's own units one of those is. */
  unit: string
  unitSize: number
  /** The contract takes no more, in the limit's own unit. */
  most: number
  text: (value: number) => string
}

const countOf = (value: number) => value.toLocaleString('en')

export const limitWords: readonly LimitWords[] = [
  {
    limit: 'maxOpenUploads',
    usage: 'openUploads',
    name: 'Open uploads',
    unit: '',
    unitSize: 1,
    most: 1_000_000_000,
    text: countOf,
  },
  {
    limit: 'maxBytesInFlight',
    usage: 'bytesInFlight',
    name: 'Bytes in flight',
    unit: 'GB',
    unitSize: 1_000_000_000,
    most: Number.MAX_SAFE_INTEGER,
    text: sizeText,
  },
  {
    limit: 'maxCreatesPerMinute',
    usage: 'createsThisMinute',
    name: 'Created in a minute',
    unit: '',
    unitSize: 1,
    most: 1_000_000,
    text: countOf,
  },
]

/** What is typed into the fields. Empty: no limit of its own. */
export type LimitsDraft = Record<LimitName, string>

export function draftOf(limits: TenantLimits): LimitsDraft {
  const typed = limitWords.map(({ limit, unitSize }) => {
    const own = limits[limit]
    return [limit, own === null ? '' : `${own / unitSize}`]
  })
  return Object.fromEntries(typed) as LimitsDraft
}

/** Those limits that a draft, which the fields have found in order, changes. What others changed meanwhile stays. */
export function changeOf(limits: TenantLimits, draft: LimitsDraft): Partial<TenantLimits> {
  const changes = limitWords.flatMap(({ limit, unitSize }) => {
    const typed = draft[limit].trim()
    const next = typed === '' ? null : Math.round(Number(typed) * unitSize)
    return next === limits[limit] ? [] : [[limit, next] as const]
  })
  return Object.fromEntries(changes)
}

/** What a change means, a sentence for each limit: `Open uploads: 100 at most, not 200. It has 120: none ends, and none begins until …`. */
export function changeSentences({ limits, usage }: Tenant, change: Partial<TenantLimits>): string[] {
  return limitWords.flatMap((words) => {
    const next = change[words.limit]
    if (next === undefined) return []
    const own = limits[words.limit]
    const was = own === null ? 'so far as the server has it for every tenant' : `so far ${words.text(own)}`
    const what = next === null ? 'as the server has it for every tenant' : `${words.text(next)} at most`
    const used = usage[words.usage]
    const isOver = next !== null && words.limit !== 'maxCreatesPerMinute' && used > next
    return [
      `${words.name}: ${what}, ${was}.${isOver ? ` It has ${words.text(used)}: nothing is ended, and nothing new begins until that is less.` : ''}`,
    ]
  })
}
