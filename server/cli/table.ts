import stringWidth from 'string-width'
import { printable } from './upload-words.ts'

/** One column of a table: its heading, and what a row has there. */
export interface Column<Row> {
  title: string
  text: (row: Row) => string
  align?: 'right'
  /** May be cut down to so many columns of the terminal, with … in its middle. By default it is never cut. */
  shrinksTo?: number
  /** Where even that is too wide, columns are left out, those with the lowest number first. By default it stays. */
  leaves?: number
  /** Not shown where every row has but `-` to say. */
  isOptional?: true
}

interface Slot<Row> {
  column: Column<Row>
  width: number
}

/** The columns of a table that are shown, and how wide each is. */
export type Layout<Row> = readonly Slot<Row>[]

const GAP = '  '

/** Fits a table to a terminal of `width` columns by the rows that are known; null: nothing is cut or left out. */
export function layOut<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number | null): Layout<Row> {
  const said = columns.filter(({ isOptional, text }) => !isOptional || rows.some((row) => text(row) !== '-'))
  const slots = said.map((column) => ({
    column,
    width: Math.max(
      ...[column.title, ...rows.map((row) => cellText(column.text(row)))].map((text) => stringWidth(text)),
    ),
  }))
  return width === null ? slots : fit(slots, width)
}

function fit<Row>(slots: Layout<Row>, width: number): Layout<Row> {
  const shrunk = shrink(slots, widthOf(slots) - width)
  if (widthOf(shrunk) <= width) return shrunk
  const [first] = slots
    .filter(({ column }) => column.leaves !== undefined)
    .sort((one, other) => (one.column.leaves ?? 0) - (other.column.leaves ?? 0))
  return first
    ? fit(
        slots.filter((slot) => slot !== first),
        width,
      )
    : shrunk
}

/** Takes `excess` columns away, always from what is widest. */
function shrink<Row>(slots: Layout<Row>, excess: number): Layout<Row> {
  const shrunk = slots.map((slot) => ({ ...slot }))
  for (let left = excess; left > 0; left -= 1) {
    const [widest] = shrunk
      .filter(({ column, width }) => column.shrinksTo !== undefined && width > column.shrinksTo)
      .sort((one, other) => other.width - one.width)
    if (widest === undefined) break
    widest.width -= 1
  }
  return shrunk
}

const widthOf = (slots: Layout<never>) =>
  slots.reduce((sum, { width }) => sum + width, GAP.length * Math.max(0, slots.length - 1))

export function headingOf<Row>(layout: Layout<Row>): string {
  return lineOf(layout, ({ title }) => title)
}

/** A row as one line. With `isFitted`, cells wider than their column are cut; else they push the others aside. */
export function rowLine<Row>(layout: Layout<Row>, row: Row, isFitted: boolean): string {
  return lineOf(layout, (column, width) => {
    const text = cellText(column.text(row))
    return isFitted ? cutMiddle(text, width) : text
  })
}

function lineOf<Row>(layout: Layout<Row>, textIn: (column: Column<Row>, width: number) => string): string {
  const cells = layout.map(({ column, width }) => {
    const text = textIn(column, width)
    const space = ' '.repeat(Math.max(0, width - stringWidth(text)))
    return column.align === 'right' ? space + text : text + space
  })
  return cells.join(GAP).trimEnd()
}

const letters = new Intl.Segmenter()

/** `text` in `width` columns or fewer: beginning and end of a file name, with its extension, say more than either alone. */
function cutMiddle(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  const left = Array.from(letters.segment(text), ({ segment }) => segment)
  let [head, tail] = ['', '']
  while (left.length > 0) {
    const isHeadNext = stringWidth(head) <= stringWidth(tail)
    const letter = (isHeadNext ? left.shift() : left.pop()) ?? ''
    if (stringWidth(head + tail + letter) >= width) return `${head}…${tail}`
    if (isHeadNext) head += letter
    else tail = letter + tail
  }
  return head + tail
}

/** Text that takes as much room on a terminal as it is measured to take, so that it cannot reach into another line: without what is
 *  invisible on one terminal and not on the next, and with at most four marks on one letter. */
function cellText(text: string): string {
  return printable(text)
    .replace(/(?!\u200c|\ufe0f)\p{Default_Ignorable_Code_Point}/gu, '')
    .replace(/(\p{M}{4})\p{M}+/gu, '$1')
}
