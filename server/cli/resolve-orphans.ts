import type { Orphan, OrphanAction, ResolvedOrphan } from '@partway/client/contract'
import { commandLine } from './admin-options.ts'
import { call } from './call.ts'
import { CommandFailure, exitCode } from './exit-code.ts'
import { throwIfInterrupted } from './interruption.ts'
import { createListing, type ListingLook } from './listing.ts'
import { type OrphanFilters, type OrphanPage, pagesOfOrphans, unansweredFailure } from './orphan-pages.ts'
import { type FormatOptions, formatOf } from './output-format.ts'
import { findSession, LOCAL_ADMIN } from './session.ts'
import { bytesInWords, countOf, inThousands } from './upload-words.ts'

interface ResolveOptions extends OrphanFilters, FormatOptions {
  action: OrphanAction
  yes?: true
  limit: number
}

/** An orphan with what was done about it; `uploadId` is that of the row afterwards. */
type SettledOrphan = Orphan & Pick<ResolvedOrphan, 'outcome' | 'reason' | 'closedAs'>

/** Below the server's bound of 50: closing one takes some ten calls of OSS, and a reply has 20 s. */
const BATCH = 20
export const RESOLVE_LIMIT = 1000

/** Does `action` about the orphans it fits, page by page, so that the list may be of any length; without `yes`, only says what it would do. */
export async function resolveOrphans(options: ResolveOptions, signal: AbortSignal): Promise<void> {
  const isDryRun = options.yes !== true
  const format = formatOf(options)
  const listing = createListing(format, lookOf(isDryRun))
  const outcomes: Partial<Record<ResolvedOrphan['outcome'], number>> = {}
  let unanswered = 0
  const onPage = (page: OrphanPage) => {
    unanswered += page.unanswered
  }
  try {
    for await (const batch of batchesOf(options, signal, onPage)) {
      const settled = await settle(batch, options, isDryRun ? signal : undefined)
      listing.add(settled)
      for (const { outcome } of settled) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      throwIfInterrupted(signal)
    }
    listing.end(unanswered > 0 ? null : `There is no orphan to ${options.action}.`)
  } finally {
    // Also after Ctrl-C or an outage: what was done, was done.
    if (listing.count > 0) console.error(`\n${isDryRun ? 'Would be' : 'Were'}: ${inWords(outcomes)}.`)
  }
  if (listing.count >= options.limit) console.error('There may be more; --limit says how many are settled.')
  if (isDryRun && listing.count > (outcomes.left ?? 0) + (outcomes.failed ?? 0)) {
    const say = format === 'table' ? console.log : console.error
    say(`Nothing was changed. To do it:\n\n  ${realLine(options)}\n`)
  }
  if (outcomes.failed) {
    throw new CommandFailure(exitCode.failed, `${countOf(outcomes.failed, 'orphan')} could not be settled.`)
  }
  if (unanswered > 0) throw unansweredFailure(unanswered)
}

/** At most `limit` orphans that can be settled so at this moment, in batches the server takes. */
async function* batchesOf(
  options: ResolveOptions,
  signal: AbortSignal,
  onPage: (page: OrphanPage) => void,
): AsyncGenerator<Orphan[]> {
  let left = options.limit
  for await (const page of pagesOfOrphans(options, signal)) {
    onPage(page)
    const fitting = page.orphans.filter(({ actions }) => actions.includes(options.action)).slice(0, left)
    for (let start = 0; start < fitting.length; start += BATCH) yield fitting.slice(start, start + BATCH)
    left -= fitting.length
    if (left === 0) return
  }
}

async function settle(
  batch: readonly Orphan[],
  { action, yes }: ResolveOptions,
  signal: AbortSignal | undefined,
): Promise<SettledOrphan[]> {
  const body = { action, ids: batch.map(({ id }) => id), dryRun: yes !== true }
  // A batch that changes something is waited for, so that what it did can be told.
  const { orphans } = await call('resolveOrphans', { body }, await findSession(LOCAL_ADMIN), signal)
  const resolved = new Map(orphans.map((orphan) => [orphan.id, orphan]))
  return batch.flatMap((orphan) => {
    const { outcome, reason, closedAs = null, uploadId } = resolved.get(orphan.id) ?? {}
    return outcome && reason ? [{ ...orphan, outcome, reason, closedAs, uploadId: uploadId ?? orphan.uploadId }] : []
  })
}

function inWords(outcomes: Readonly<Record<string, number>>): string {
  return Object.entries(outcomes)
    .map(([outcome, count]) => `${inThousands(count)} ${outcome}`)
    .join(', ')
}

function realLine({ action, kind, tenant, limit }: ResolveOptions): string {
  return commandLine([
    ...['partway', 'orphans', '--resolve', action],
    ...(kind === undefined ? [] : ['--kind', kind]),
    ...(tenant === undefined ? [] : ['--tenant', tenant]),
    ...(limit === RESOLVE_LIMIT ? [] : ['--limit', String(limit)]),
    '--yes',
  ])
}

function lookOf(isDryRun: boolean): ListingLook<SettledOrphan> {
  return {
    columns: [
      { title: isDryRun ? 'WOULD BE' : 'OUTCOME', text: ({ outcome }) => outcome },
      { title: 'WHY', text: ({ reason, closedAs }) => (reason === 'done' ? (closedAs ?? '-') : reason) },
      { title: 'KIND', text: ({ kind }) => kind, leaves: 1 },
      {
        title: 'HELD',
        align: 'right',
        text: ({ storedBytes }) => (storedBytes === null ? '-' : bytesInWords(storedBytes)),
      },
      { title: 'TENANT', text: ({ tenant }) => tenant ?? '-', shrinksTo: 8, leaves: 0 },
      { title: 'KEY', text: ({ key }) => key, shrinksTo: 16 },
    ],
    csv: ['id', 'kind', 'key', 'ossUploadId', 'uploadId', 'tenant', 'storedBytes', 'outcome', 'reason', 'closedAs'],
  }
}
