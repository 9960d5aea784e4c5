import { type Orphan, type OrphanAction, orphanKinds } from '@partway/client/contract'
import { Command, Option } from 'commander'
import { limitOption, tenantOption } from './admin-options.ts'
import { ageInWords } from './duration.ts'
import { interruptibly } from './interruption.ts'
import { createListing, type ListingLook } from './listing.ts'
import { type OrphanFilters, pagesOfOrphans, unansweredFailure } from './orphan-pages.ts'
import { type FormatOptions, formatOf, withFormats } from './output-format.ts'
import { RESOLVE_LIMIT, resolveOrphans } from './resolve-orphans.ts'
import { bytesInWords, countOf, minuteOf } from './upload-words.ts'

interface OrphansOptions extends FormatOptions, OrphanFilters {
  resolve?: OrphanAction
  yes?: true
  limit: number
}

const kindHelp = `
Kinds, and what can settle them:
  untracked          a multipart upload in the bucket that no row knows           adopt, abort
  direct             one that a client began by itself, with direct credentials   abort
  lost               a row whose multipart upload is gone, without an object      close
  completed-outside  the same, but its object is there                            close

What can be done about an orphan at this moment stands in its row. Nothing is aborted that was begun, or
grew, less than an hour ago, or whose credentials live, or ended less than 4 h 5 min ago: a part that was
sent with them may still be on its way. Closing makes a row say what OSS says, and deletes no object.`

export const orphansCommand = withFormats(
  new Command('orphans')
    .description('show where the bucket and the table disagree, and settle it (scope admin)')
    .addOption(new Option('--kind <kind>', 'only of this kind').choices(orphanKinds))
    .addOption(tenantOption())
    .addOption(
      new Option('--resolve <action>', 'do this about those it fits: a dry run, unless --yes is given').choices([
        'adopt',
        'abort',
        'close',
      ]),
    )
    .option('--yes', 'really do it')
    .addOption(limitOption('how many at most', RESOLVE_LIMIT))
    .addHelpText('after', kindHelp)
    .action((options: OrphansOptions, command: Command) => {
      const { resolve: action } = options
      if (options.yes && !action) command.error('error: --yes says nothing without --resolve <action>')
      const work = (signal: AbortSignal) =>
        action ? resolveOrphans({ ...options, action }, signal) : show(options, signal)
      return interruptibly(work, options.yes)
    }),
)

async function show(options: OrphansOptions, signal: AbortSignal): Promise<void> {
  const listing = createListing(formatOf(options), look)
  let heldBytes = 0
  let unanswered = 0
  let more = false
  for await (const page of pagesOfOrphans(options, signal)) {
    unanswered += page.unanswered
    const shown = page.orphans.slice(0, options.limit - listing.count)
    listing.add(shown)
    heldBytes += shown.reduce((sum, { storedBytes }) => sum + (storedBytes ?? 0), 0)
    more = listing.count >= options.limit
    if (more) break
  }
  listing.end(unanswered > 0 ? null : 'Bucket and table agree.')
  if (listing.count > 0) console.error(`${countOf(listing.count, 'orphan')}, ${bytesInWords(heldBytes)} in all.`)
  if (more) console.error('There may be more; --limit says how many are shown.')
  if (unanswered > 0) throw unansweredFailure(unanswered)
}

const look: ListingLook<Orphan> = {
  columns: [
    { title: 'KIND', text: ({ kind }) => kind },
    {
      title: 'HELD',
      align: 'right',
      text: ({ storedBytes }) => (storedBytes === null ? '-' : bytesInWords(storedBytes)),
    },
    { title: 'PARTS', align: 'right', text: ({ partCount }) => partCount?.toString() ?? '-', leaves: 0 },
    { title: 'AGE', align: 'right', text: ({ ageSeconds }) => (ageSeconds === null ? '-' : ageInWords(ageSeconds)) },
    { title: 'CREDENTIALS UNTIL', text: (orphan) => aliveUntil(orphan), leaves: 1 },
    { title: 'CAN BE', text: ({ actions }) => actions.join(', ') || '-' },
    { title: 'TENANT', text: ({ tenant }) => tenant ?? '-', shrinksTo: 8, leaves: 2 },
    { title: 'KEY', text: ({ key }) => key, shrinksTo: 16 },
  ],
  csv: [
    'id',
    'kind',
    'key',
    'ossUploadId',
    'uploadId',
    'tenant',
    'storedBytes',
    'partCount',
    'startedAt',
    'ageSeconds',
    'credentialsAliveUntil',
    'actions',
  ],
}

function aliveUntil({ credentialsAliveUntil: until }: Orphan): string {
  return until && Date.parse(until) > Date.now() ? `${minuteOf(until)}Z` : '-'
}
