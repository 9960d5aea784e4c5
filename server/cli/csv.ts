import { stringify } from 'csv-stringify/sync'
import { printable } from './upload-words.ts'

/**
 * Records as CSV by RFC 4180, one column for each of `names`, with a heading line if asked for. Numbers are raw, null is empty.
 * It is made for spreadsheets: cells that these would run as a formula begin with ', and control characters and bidi overrides are `?`.
 */
export function toCsv<Row extends object>(
  names: readonly (keyof Row & string)[],
  rows: readonly Row[],
  withHeading: boolean,
): string {
  return stringify(
    rows.map((row) => names.map((name) => cellOf(row[name]))),
    {
      header: withHeading,
      columns: [...names],
      record_delimiter: 'windows',
      escape_formulas: true,
      cast: { boolean: String },
    },
  )
}

function cellOf(value: unknown): unknown {
  if (Array.isArray(value)) return printable(value.join(' '))
  return typeof value === 'string' ? printable(value) : value
}
