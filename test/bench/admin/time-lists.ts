import type { AdminSort } from '@partway/client/contract'
import type { BenchServer } from './bench-server.ts'
import { filterCases, type ListCase, listCases } from './list-cases.ts'
import { type Samples, shuffle } from './samples.ts'

/** Pages of one filter and sort, in both orders, at all depths. */
export interface ListFigures {
  filter: string
  sort: AdminSort
  matching: { large: number; small: number }
  large: Samples
  small: Samples
  /** Whether every page had as many rows on both tables; otherwise their times say nothing of each other. */
  isComparable: boolean
}

type Servers = Record<'large' | 'small', BenchServer>

/** Asks for every page once in each round, on one table right after the other, so that noise meets both. */
export async function timeLists(
  { large, small }: Servers,
  { rounds, limit }: { rounds: number; limit: number },
): Promise<ListFigures[]> {
  const pairs = await pairUp({ large, small }, limit)
  const figures = new Map<string, ListFigures>()
  for (let round = -1; round < rounds; round++) {
    for (const { large: onLarge, small: onSmall, depth } of shuffle(pairs, round)) {
      const [inLarge, inSmall] = [onLarge.paths[depth], onSmall.paths[depth]]
      const name = `${onLarge.filter}, ${onLarge.sort}`
      const figure = figures.get(name) ?? {
        filter: onLarge.filter,
        sort: onLarge.sort,
        matching: { large: onLarge.matching, small: onSmall.matching },
        large: [],
        small: [],
        isComparable: true,
      }
      figures.set(name, figure)
      const first = await timed(large, inLarge)
      const second = await timed(small, inSmall)
      if (first?.rows !== second?.rows) figure.isComparable = false
      // The first round reads into caches what the others find there.
      if (round < 0) continue
      if (first) figure.large.push(first.ms)
      if (second) figure.small.push(second.ms)
    }
  }
  return [...figures.values()]
}

async function timed(server: BenchServer, path: string | undefined): Promise<{ ms: number; rows: number } | null> {
  if (path === undefined) return null
  const { ms, body } = await server.get(path)
  return { ms, rows: (body as { uploads: unknown[] }).uploads.length }
}

async function pairUp({ large, small }: Servers, limit: number) {
  const pairs: { large: ListCase; small: ListCase; depth: number }[] = []
  const [inLarge, inSmall] = [await filterCases(large, 3 * limit), await filterCases(small, 3 * limit)]
  for (const [index, filter] of inLarge.entries()) {
    const twin = inSmall[index]
    if (!twin) continue
    const [lists, twins] = [await listCases(large, filter, limit), await listCases(small, twin, limit)]
    for (const [place, list] of lists.entries()) {
      const other = twins[place]
      if (other) for (const depth of list.paths.keys()) pairs.push({ large: list, small: other, depth })
    }
  }
  return pairs
}
