import type { Spread } from './statistics.ts'

/** A table in Markdown, padded so that it also reads well on a terminal. Columns but the first stand to the right when they hold figures. */
export function markdownTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [columns, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = columns.map((_, index) => Math.max(3, ...cells.map((row) => row[index]?.length ?? 0)))
  const isFigure = columns.map((_, index) => index > 0 && rows.some((row) => /^[<≤≥]?\s?-?\d/.test(row[index] ?? '')))
  const line = (row: readonly string[]) => {
    const padded = widths.map((width, index) => {
      const cell = row[index] ?? ''
      return isFigure[index] ? cell.padStart(width) : cell.padEnd(width)
    })
    return `| ${padded.join(' | ')} |`
  }
  const rule = widths.map((width, index) => (isFigure[index] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  const [head = [], ...body] = cells
  return [line(head), `| ${rule.join(' | ')} |`, ...body.map(line)].join('\n')
}

/** Three significant digits, in groups of three: `1,230`, `12.3`, `0.0123`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en')
    : value.toLocaleString('en', { maximumSignificantDigits: 3 })
}

/** `12.3 (11.9 … 13.0)`: median, smallest and largest. */
export function spread({ min, median, max }: Spread): string {
  return min === max ? figure(median) : `${figure(median)} (${figure(min)} … ${figure(max)})`
}

/** `15.2 ×` */
export function times(value: number): string {
  return `${figure(value)} ×`
}

/** Bytes in MiB, or GiB from 1 GiB on. */
export function size(bytes: number): string {
  if (bytes >= 2 ** 30) return `${figure(bytes / 2 ** 30)} GiB`
  return bytes >= 2 ** 20 ? `${figure(bytes / 2 ** 20)} MiB` : `${figure(bytes / 2 ** 10)} KiB`
}
