import { endOnClosedPipe } from './closed-pipe.ts'
import { toCsv } from './csv.ts'
import { jsonLine, type OutputFormat } from './output-format.ts'
import { type Column, headingOf, type Layout, layOut, rowLine } from './table.ts'

/** How the rows of a command look as a table, and which of their fields stand in CSV. */
export interface ListingLook<Row> {
  columns: readonly Column<Row>[]
  csv: readonly (keyof Row & string)[]
}

/** Rows that are printed page by page, so that no number of them fills the memory. */
export interface Listing<Row> {
  /** Rows printed so far. */
  readonly count: number
  add(rows: readonly Row[]): void
  /** Prints `whenEmpty`, if there is such a sentence, where a person would see nothing at all, and the heading that CSV has even then. */
  end(whenEmpty: string | null): void
}

export function createListing<Row extends object>(
  format: OutputFormat,
  { columns, csv }: ListingLook<Row>,
  stream: NodeJS.WriteStream = process.stdout,
): Listing<Row> {
  // A pseudo terminal whose size nobody set says 0.
  const width = stream.isTTY ? stream.columns || 80 : null
  stream.once('error', endOnClosedPipe)
  let count = 0
  let layout: Layout<Row> | null = null
  const print = (lines: readonly string[]) => stream.write(lines.map((line) => `${line}\n`).join(''))

  function addToTable(rows: readonly Row[]) {
    // The first page decides for all: a column that changed its width from page to page would be none.
    const isFirst = layout === null
    const fitted = layout ?? layOut(columns, rows, width)
    layout = fitted
    print([...(isFirst ? [headingOf(fitted)] : []), ...rows.map((row) => rowLine(fitted, row, width !== null))])
  }

  return {
    get count() {
      return count
    },
    add(rows) {
      if (rows.length === 0) return
      if (format === 'json') print(rows.map(jsonLine))
      else if (format === 'csv') stream.write(toCsv(csv, rows, count === 0))
      else addToTable(rows)
      count += rows.length
    },
    end(whenEmpty) {
      if (count > 0) return
      if (format === 'csv') stream.write(toCsv(csv, [], true))
      if (format === 'table' && whenEmpty !== null) print([whenEmpty])
    },
  }
}
