import { p50, p95 } from './samples.ts'
import type { ListFigures } from './time-lists.ts'
import type { SummaryFigures } from './time-summary.ts'

const PAGE_MS = 50
const SUMMARY_MS = 300
const RATIO = 1.5

interface Figures {
  uploads: number
  small: number
  lists: ListFigures[]
  summary: SummaryFigures
}

/** Prints the table and what was met. False when something was missed. */
export function report({ uploads, small, lists, summary }: Figures): boolean {
  const ratio = ({ large, small: few }: ListFigures, of: typeof p50) => of(large) / of(few)
  print([
    ['filter', 'sort', 'matching', 'p50', 'p95', 'max', `p50 at ${small}`, 'p95', 'ratio p50', 'p95'],
    ...lists.map((list) => [
      list.filter,
      list.sort,
      String(list.matching.large),
      ...[p50(list.large), p95(list.large), Math.max(...list.large), p50(list.small), p95(list.small)].map(ms),
      ...[p50, p95].map((of) => (list.isComparable ? ratio(list, of).toFixed(2) : '–')),
    ]),
  ])
  console.log(
    `\nMilliseconds by HTTP, at the beginning, the middle and the end of both orders, ${lists[0]?.large.length} pages a line.`,
  )
  console.log('–: the small table does not have as many rows that match.\n')
  const comparable = lists.filter(({ isComparable }) => isComparable)
  const worst = (of: (list: ListFigures) => number, among = lists) => Math.max(...among.map(of))
  const slowest = worst(({ large }) => p95(large))
  const both = [p50, p95].map(
    (of) => of(comparable.flatMap(({ large }) => large)) / of(comparable.flatMap((list) => list.small)),
  )
  const [ratio50 = Number.NaN, ratio95 = Number.NaN] = both
  const worstRatio = worst((list) => ratio(list, p50), comparable)
  const summary95 = p95([...summary.summaries, ...summary.whileCounting])
  return [
    verdict(
      slowest <= PAGE_MS,
      `list page p95 at most ${PAGE_MS} ms under each filter and sort: at most ${ms(slowest)} ms`,
    ),
    verdict(
      ratio50 <= RATIO && ratio95 <= RATIO,
      `a page at ${uploads} within ${RATIO} × that at ${small}: p50 ${ratio50.toFixed(2)} ×, p95 ${ratio95.toFixed(2)} ×`,
    ),
    verdict(worstRatio <= RATIO, `the same for the p50 of each filter and sort: at most ${worstRatio.toFixed(2)} ×`),
    verdict(
      summary95 <= SUMMARY_MS,
      `summary p95 at most ${SUMMARY_MS} ms: ${ms(summary95)} ms (${ms(p95(summary.whileCounting))} ms while counting)`,
    ),
    note(
      `a count of all open uploads takes ${ms(p50(summary.counts))} ms (p50), the very first summary ${ms(summary.firstMs)} ms`,
    ),
  ].every(Boolean)
}

const ms = (value: number) => value.toFixed(1)

function verdict(isMet: boolean, what: string): boolean {
  console.log(`${isMet ? 'met   ' : 'MISSED'} ${what}`)
  return isMet
}

function note(what: string): boolean {
  console.log(`       ${what}`)
  return true
}

function print(lines: string[][]): void {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  for (const line of lines) {
    const cells = line.map((cell, column) =>
      column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    )
    console.log(cells.join('  ').trimEnd())
  }
}
