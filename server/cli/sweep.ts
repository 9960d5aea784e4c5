import type { SweptUpload } from '@partway/client/contract'
import { Command, InvalidArgumentError, Option } from 'commander'
import { commandLine, limitOption, tenantOption } from './admin-options.ts'
import { call } from './call.ts'
import { durationText, parseDuration } from './duration.ts'
import { CommandFailure, exitCode } from './exit-code.ts'
import { interruptibly, throwIfInterrupted } from './interruption.ts'
import { createListing, type ListingLook } from './listing.ts'
import { type FormatOptions, formatOf, jsonLine, withFormats } from './output-format.ts'
import { findSession, LOCAL_ADMIN } from './session.ts'
import { createStatusLine } from './status-line.ts'
import { addTotals, isKept, noTotals, type SweepTotals, totalsInWords } from './sweep-totals.ts'
import { bytesInWords, countOf, minuteOf } from './upload-words.ts'

interface SweepOptions extends FormatOptions {
  olderThan: number
  tenant?: string
  limit: number
  yes?: true
}

/** The server's own bound. A dry run changes nothing, so that a second request would only tell the same again. */
const DRY_RUN_LIMIT = 1000
const SWEEP_LIMIT = 1000
/** Small enough that something is seen to happen, and that Ctrl-C is heard soon. */
const BATCH = 100

export const sweepCommand = withFormats(
  new Command('sweep')
    .description(
      'give up uploads that have been idle for long, but none that somebody may still be sending: a dry run, unless --yes is given (scope admin)',
    )
    .addOption(
      new Option('--older-than <duration>', 'idle for so long, an hour or more: 90m, 24h, 7d')
        .argParser(parseSweepAge)
        .default(86_400, '24h'),
    )
    .addOption(tenantOption())
    .addOption(limitOption(`uploads to look at, at most; a dry run tells of ${DRY_RUN_LIMIT} at most`, SWEEP_LIMIT))
    .option('--yes', 'really do it')
    .action((options: SweepOptions) => interruptibly((signal) => sweep(options, signal), options.yes)),
  'one JSON object per line and upload; the last line holds the totals',
)

/** The server's floor, told before anything is asked. */
function parseSweepAge(text: string): number {
  const seconds = parseDuration(text)
  if (seconds < 3600) throw new InvalidArgumentError('An hour is the least: 1h.')
  return seconds
}

async function sweep(options: SweepOptions, signal: AbortSignal): Promise<void> {
  const isDryRun = options.yes !== true
  const format = formatOf(options)
  const totals = noTotals()
  let more = false
  try {
    more = await sweepInBatches(options, totals, signal)
  } finally {
    // Also after Ctrl-C or an outage: what was done, was done.
    if (format === 'json') console.log(jsonLine({ isDryRun, ...totals, more }))
    else if (format === 'csv') console.error(totalsInWords(totals, isDryRun))
    else if (totals.examined > 0) console.log(`\n${totalsInWords(totals, isDryRun)}`)
  }
  const say = format === 'table' ? console.log : console.error
  if (more && totals.examined === 0)
    throw new CommandFailure(exitCode.failed, 'The server had no time to look at any upload; run it again.')
  if (more)
    say(`There may be more: ${isDryRun ? 'this is what was looked at so far' : 'run it again, or raise --limit'}.`)
  if (isDryRun && totals.aborted + totals.finished > 0)
    say(`Nothing was changed. To do it:\n\n  ${realLine(options)}\n`)
  if (totals.failed > 0) {
    throw new CommandFailure(
      exitCode.failed,
      isDryRun
        ? `OSS could not be asked about ${countOf(totals.failed, 'upload')}.`
        : `${countOf(totals.failed, 'upload')} could not be swept; the server tries again by itself.`,
    )
  }
}

/** Returns whether there may be more. `totals` grows with every reply. */
async function sweepInBatches(options: SweepOptions, totals: SweepTotals, signal: AbortSignal): Promise<boolean> {
  const { olderThan, tenant, limit } = options
  const isDryRun = options.yes !== true
  const session = await findSession(LOCAL_ADMIN)
  const listing = createListing(formatOf(options), lookOf(isDryRun))
  const status = createStatusLine()
  const told = new Set<string>()
  // What there was no time for is asked about again, as long as anything gets on. What is never heard of again is told at the end.
  const late = new Map<string, SweptUpload>()
  const tell = (uploads: readonly SweptUpload[]) => {
    listing.add(uploads)
    addTotals(totals, uploads)
  }
  let more = true
  try {
    while (more && totals.examined < limit) {
      throwIfInterrupted(signal)
      status.show(isDryRun ? 'Asking what would happen …' : `Sweeping … ${progressOf(totals)}`)
      const body = {
        olderThanSeconds: olderThan,
        dryRun: isDryRun,
        limit: Math.min(isDryRun ? DRY_RUN_LIMIT : BATCH, limit - totals.examined),
        ...(tenant === undefined ? {} : { tenant }),
      }
      // A dry run may be cut short. A sweep is waited for, so that what it did can be told.
      const reply = await call('sweepUploads', { body }, session, isDryRun ? signal : undefined).finally(status.clear)
      const news = reply.uploads.filter(({ id }) => !told.has(id))
      const settled = news.filter(({ reason }) => reason !== 'not-in-time')
      for (const upload of news) late.set(upload.id, upload)
      for (const { id } of settled) late.delete(id)
      tell(settled)
      for (const { id, outcome } of settled) if (isKept(outcome)) told.add(id)
      more = reply.more
      // Only uploads that stay as they are: asking on would never end.
      if (isDryRun || settled.length === 0) break
    }
  } finally {
    tell([...late.values()])
  }
  listing.end(more ? null : `No upload has been idle for ${durationText(olderThan)}.`)
  return more
}

function progressOf({ examined, aborted, freedBytes }: SweepTotals): string {
  if (examined === 0) return ''
  return `${countOf(examined, 'upload')} looked at, ${aborted} aborted, ${bytesInWords(freedBytes)} freed`
}

function realLine({ olderThan, tenant, limit }: SweepOptions): string {
  return commandLine([
    ...['partway', 'sweep', '--older-than', durationText(olderThan)],
    ...(tenant === undefined ? [] : ['--tenant', tenant]),
    ...(limit === SWEEP_LIMIT ? [] : ['--limit', String(limit)]),
    '--yes',
  ])
}

function lookOf(isDryRun: boolean): ListingLook<SweptUpload> {
  return {
    columns: [
      { title: isDryRun ? 'WOULD BE' : 'OUTCOME', text: ({ outcome }) => outcome },
      { title: 'WHY', text: (upload) => whyOf(upload), shrinksTo: 12 },
      { title: 'HELD', align: 'right', text: ({ storedBytes }) => bytesInWords(storedBytes) },
      { title: 'ID', text: ({ id }) => id, leaves: 0 },
      { title: 'TENANT', text: ({ tenant }) => tenant, shrinksTo: 8, leaves: 1 },
      { title: 'FILE', text: ({ fileName }) => fileName, shrinksTo: 20 },
    ],
    csv: ['id', 'tenant', 'fileName', 'storedBytes', 'outcome', 'reason', 'aliveUntil'],
  }
}

function whyOf({ reason, aliveUntil }: SweptUpload): string {
  return aliveUntil === null ? reason : `${reason} until ${minuteOf(aliveUntil)}Z`
}
