import { type Upload, uploadStates } from '@partway/client/contract'
import { Command, Option } from 'commander'
import { limitOption } from './admin-options.ts'
import { call } from './call.ts'
import { createListing, type ListingLook } from './listing.ts'
import { type FormatOptions, formatOf, withFormats } from './output-format.ts'
import { findSession } from './session.ts'
import { bytesInWords } from './upload-words.ts'

interface ListOptions extends FormatOptions {
  state?: Upload['state']
  limit: number
}

const PAGE = 100

export const listCommand = withFormats(
  new Command('list')
    .description('show uploads, newest first')
    .addOption(new Option('--state <state>', 'only those in this state').choices(uploadStates))
    .addOption(limitOption('how many at most', 50))
    .action(async ({ state, limit, ...format }: ListOptions) => {
      const session = await findSession()
      const listing = createListing(formatOf(format), look)
      let cursor: string | null = null
      do {
        const query = { state, cursor: cursor ?? undefined, limit: String(Math.min(PAGE, limit - listing.count)) }
        const page: { uploads: Upload[]; nextCursor: string | null } = await call('listUploads', { query }, session)
        listing.add(page.uploads)
        cursor = page.nextCursor
      } while (cursor !== null && listing.count < limit)
      listing.end('There are no uploads.')
    }),
)

const look: ListingLook<Upload> = {
  columns: [
    { title: 'ID', text: ({ id }) => id },
    { title: 'STATE', text: ({ state }) => state },
    { title: 'STORED', text: (upload) => `${percentStored(upload)} % of ${bytesInWords(upload.sizeBytes)}` },
    {
      title: 'LAST ACTIVITY (UTC)',
      text: ({ lastActivityAt }) => lastActivityAt.slice(0, 19).replace('T', ' '),
      leaves: 0,
    },
    { title: 'FILE', text: ({ fileName }) => fileName, shrinksTo: 12 },
  ],
  csv: [
    'id',
    'state',
    'fileName',
    'contentType',
    'sizeBytes',
    'partSizeBytes',
    'partCount',
    'storedBytes',
    'bucket',
    'key',
    'createdAt',
    'lastActivityAt',
    'expiresAt',
    'completedAt',
    'etag',
    'crc64',
    'abortReason',
  ],
}

function percentStored({ state, storedBytes, sizeBytes }: Upload): number {
  if (state === 'completed') return 100
  return sizeBytes === 0 ? 0 : Math.floor((storedBytes / sizeBytes) * 100)
}
