import type { Summary } from '@partway/client/contract'
import { Command } from 'commander'
import { tenantOption } from './admin-options.ts'
import { call } from './call.ts'
import { toCsv } from './csv.ts'
import { interruptibly } from './interruption.ts'
import { type FormatOptions, formatOf, jsonLine, withFormats } from './output-format.ts'
import { findSession, LOCAL_ADMIN } from './session.ts'
import { summaryInWords } from './summary-in-words.ts'

interface SummaryOptions extends FormatOptions {
  tenant?: string
}

export const summaryCommand = withFormats(
  new Command('summary')
    .description('show what unfinished uploads hold, by state, age and tenant, and what that costs (scope admin)')
    .addOption(tenantOption())
    .action((options: SummaryOptions) => interruptibly((signal) => show(options, signal))),
  'the summary as one JSON object',
)

async function show(options: SummaryOptions, signal: AbortSignal): Promise<void> {
  const query = { tenant: options.tenant }
  const summary = await call('getSummary', { query }, await findSession(LOCAL_ADMIN), signal)
  const format = formatOf(options)
  if (format === 'json') console.log(jsonLine(summary))
  else if (format === 'csv') process.stdout.write(toCsv(csvColumns, figuresOf(summary), true))
  else console.log(summaryInWords(summary, process.stdout.isTTY ? process.stdout.columns || 80 : null))
}

/** One number of uploads and bytes, and what it is about: `by-state` `uploading`. */
interface Figure {
  section: string
  name: string
  uploads: number
  bytes: number
  monthlyCost: number | null
}
const csvColumns = ['section', 'name', 'uploads', 'bytes', 'monthlyCost'] as const

/** The summary as a table with one meaning for each column, so that spreadsheets can filter and pivot it. */
function figuresOf({ held, stale, byState, byAge, byTenant, overTime }: Summary): Figure[] {
  const figure = (
    section: string,
    name: string,
    amount: { uploads: number; bytes: number; monthlyCost?: number | null },
  ) => ({
    section,
    name,
    uploads: amount.uploads,
    bytes: amount.bytes,
    monthlyCost: amount.monthlyCost ?? null,
  })
  return [
    figure('total', 'held', held),
    figure('total', 'stale', stale),
    ...byState.map((amount) => figure('by-state', amount.state, amount)),
    ...byAge.map((amount) => figure('by-age', amount.band, amount)),
    ...byTenant.map((amount) => figure('by-tenant', amount.tenant, amount)),
    ...overTime.map((amount) => figure('over-time', amount.at, amount)),
  ]
}
