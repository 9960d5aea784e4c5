import { type AdminSort, type AdminUpload, adminSorts, type UploadState, uploadStates } from '@partway/client/contract'
import { Command, Option } from 'commander'
import { limitOption, olderThanOption, tenantOption } from './admin-options.ts'
import { call } from './call.ts'
import { ageInWords, durationText } from './duration.ts'
import { interruptibly } from './interruption.ts'
import { createListing, type ListingLook } from './listing.ts'
import { type FormatOptions, formatOf, withFormats } from './output-format.ts'
import { findSession, LOCAL_ADMIN } from './session.ts'
import { parseBytes } from './upload-arguments.ts'
import { bytesInWords, costInWords, countOf, minuteOf } from './upload-words.ts'

interface StaleOptions extends FormatOptions {
  olderThan: number
  state?: UploadState
  tenant?: string
  prefix?: string
  minBytes?: number
  sort?: AdminSort
  order?: 'asc' | 'desc'
  limit: number
}

const PAGE = 100

export const staleCommand = withFormats(
  new Command('stale')
    .description('show uploads nobody has gone on with, longest idle first, with what they hold (scope admin)')
    .addOption(olderThanOption('idle for at least so long: 90s, 15m, 24h, 7d; 0s shows all'))
    .addOption(
      new Option('--state <state>', 'only those in this state; by default all that are not ended').choices(
        uploadStates,
      ),
    )
    .addOption(tenantOption())
    .option('--prefix <prefix>', 'only keys that begin with it')
    .addOption(new Option('--min-bytes <size>', 'holding at least so much: 1048576, 100MiB').argParser(parseBytes))
    .addOption(new Option('--sort <field>', 'by default lastActivityAt').choices(adminSorts))
    .addOption(new Option('--order <order>', 'by default asc, but desc for storedBytes').choices(['asc', 'desc']))
    .addOption(limitOption('how many at most', 50))
    .action((options: StaleOptions) => interruptibly((signal) => showStale(options, signal))),
)

async function showStale(options: StaleOptions, signal: AbortSignal): Promise<void> {
  const { olderThan, state, tenant, prefix, minBytes, sort, order, limit } = options
  const session = await findSession(LOCAL_ADMIN)
  const listing = createListing(formatOf(options), look)
  const filters = { state, tenant, prefix, minBytes: minBytes?.toString(), sort, order }
  let heldBytes = 0
  let cursor: string | null = null
  do {
    const query = {
      ...filters,
      staleForSeconds: String(olderThan),
      limit: String(Math.min(PAGE, limit - listing.count)),
      cursor: cursor ?? undefined,
    }
    const page: { uploads: AdminUpload[]; nextCursor: string | null } = await call(
      'listAdminUploads',
      { query },
      session,
      signal,
    )
    listing.add(page.uploads)
    heldBytes += page.uploads.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
    cursor = page.nextCursor
  } while (cursor !== null && listing.count < limit)
  listing.end(`No upload matches that has been idle for ${durationText(olderThan)}.`)
  if (listing.count > 0) console.error(`${countOf(listing.count, 'upload')}, ${bytesInWords(heldBytes)} in all.`)
  if (cursor !== null) console.error(`There are more; --limit says how many are shown.`)
}

const look: ListingLook<AdminUpload> = {
  columns: [
    { title: 'ID', text: ({ id }) => id },
    { title: 'STATE', text: ({ state, isAdopted }) => (isAdopted ? `${state}, adopted` : state), leaves: 3 },
    { title: 'HELD', align: 'right', text: ({ storedBytes }) => bytesInWords(storedBytes) },
    { title: 'COST', align: 'right', text: ({ monthlyCost }) => costInWords(monthlyCost), leaves: 2, isOptional: true },
    { title: 'IDLE', align: 'right', text: ({ idleSeconds }) => ageInWords(idleSeconds) },
    { title: 'AGE', align: 'right', text: ({ ageSeconds }) => ageInWords(ageSeconds), leaves: 0 },
    { title: 'GRANTS UNTIL', text: (upload) => aliveUntil(upload), leaves: 1 },
    { title: 'TENANT', text: ({ tenant }) => tenant, shrinksTo: 8, leaves: 4 },
    { title: 'FILE', text: ({ fileName }) => fileName, shrinksTo: 20 },
  ],
  csv: [
    'id',
    'tenant',
    'subject',
    'state',
    'fileName',
    'contentType',
    'bucket',
    'key',
    'sizeBytes',
    'partSizeBytes',
    'partCount',
    'storedBytes',
    'storedBytesReadAt',
    'monthlyCost',
    'createdAt',
    'ageSeconds',
    'lastActivityAt',
    'idleSeconds',
    'expiresAt',
    'isStale',
    'grantsAliveUntil',
    'credentialsAliveUntil',
    'completedAt',
    'abortReason',
    'isAdopted',
  ],
}

/** Until when somebody may still send parts; nothing once that is past. */
function aliveUntil({ grantsAliveUntil }: AdminUpload): string {
  return grantsAliveUntil && Date.parse(grantsAliveUntil) > Date.now() ? `${minuteOf(grantsAliveUntil)}Z` : '-'
}
