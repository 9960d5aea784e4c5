import type { Summary } from '@partway/client/contract'
import { durationText } from './duration.ts'
import { type Column, headingOf, layOut, rowLine } from './table.ts'
import { bytesInWords, costInWords, countOf, inThousands, minuteOf, printable } from './upload-words.ts'

const TOP_TENANTS = 10
const BAR_WIDTH = 24

/** One line of one of the tables. */
interface Line {
  name: string
  uploads: number
  bytes: number
  monthlyCost?: number | null
}

/** The summary for people. On a terminal, `width` columns wide, with bars; null: plain. */
export function summaryInWords(summary: Summary, width: number | null): string {
  const { held, stale, byState, byAge, byTenant, tenantCount, tenant, measuredAt, pricePerGbMonth } = summary
  const tenants = byTenant.slice(0, TOP_TENANTS).map((amount) => ({ name: amount.tenant, ...amount }))
  const cost = (monthlyCost: number | null) => (monthlyCost === null ? '' : `, ${costInWords(monthlyCost)} a month`)
  return [
    `${tenant === null ? 'All tenants' : `Tenant ${printable(tenant)}`}, ${minuteOf(measuredAt)} UTC`,
    `Held   ${bytesInWords(held.bytes)} in ${countOf(held.uploads, 'open upload')}${cost(held.monthlyCost)}`,
    `Stale  ${bytesInWords(stale.bytes)} in ${inThousands(stale.uploads)} of them, idle for ${durationText(stale.afterSeconds)} or more${cost(stale.monthlyCost)}`,
    ...(pricePerGbMonth === null ? ['       (no cost is known: PRICE_PER_GB_MONTH is not set)'] : []),
    ...trendOf(summary, width),
    '',
    ...table(
      'STATE',
      byState.map((amount) => ({ name: amount.state, ...amount })),
      null,
    ),
    '',
    ...table(
      'AGE',
      byAge.map((amount) => ({ name: amount.band.replaceAll('-', ' '), ...amount })),
      width,
    ),
    ...(tenants.length === 0 ? [] : ['', ...table('TENANT', tenants, width)]),
    ...(tenantCount > tenants.length ? [`  and ${countOf(tenantCount - tenants.length, 'more tenant')}`] : []),
  ].join('\n')
}

/** `width` null: without bars, which are for eyes only. */
function table(title: string, lines: readonly Line[], width: number | null): string[] {
  const most = Math.max(1, ...lines.map(({ bytes }) => bytes))
  const columns: Column<Line>[] = [
    { title, text: ({ name }) => name, shrinksTo: 12 },
    { title: 'UPLOADS', align: 'right', text: ({ uploads }) => inThousands(uploads) },
    { title: 'BYTES', align: 'right', text: ({ bytes }) => bytesInWords(bytes) },
    ...(lines.some(({ monthlyCost }) => monthlyCost != null)
      ? [{ title: 'COST', align: 'right', text: (line: Line) => costInWords(line.monthlyCost ?? null) } as const]
      : []),
    ...(width === null ? [] : [{ title: '', text: ({ bytes }: Line) => barOf(bytes / most), leaves: 0 }]),
  ]
  const layout = layOut(columns, lines, width)
  return [headingOf(layout), ...lines.map((line) => rowLine(layout, line, width !== null))]
}

/** A share of 0 to 1 as blocks, in eighths of a column; whatever is not nothing is seen. */
export function barOf(share: number): string {
  const eighths = share > 0 ? Math.max(1, Math.round(share * BAR_WIDTH * 8)) : 0
  return '█'.repeat(Math.floor(eighths / 8)) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8]
}

/** The bytes held over time as one line of columns, the last as many as fit; nothing where there is no history or no terminal. */
function trendOf({ overTime }: Summary, width: number | null): string[] {
  const label = 'Trend  '
  const shown = overTime.slice(-Math.max(0, Math.min(60, (width ?? 0) - label.length - 24)))
  const [first] = shown
  if (width === null || first === undefined || shown.length < 2) return []
  const most = Math.max(1, ...shown.map(({ bytes }) => bytes))
  const levels = '▁▂▃▄▅▆▇█'
  const columns = shown.map(({ bytes }) => levels[Math.round((bytes / most) * (levels.length - 1))])
  return [`${label}${columns.join('')}  since ${minuteOf(first.at)}`]
}
