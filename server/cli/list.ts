import { type Upload, uploadStates } from '@partway/client/contract'
import { Command, InvalidArgumentError, Option } from 'commander'
import { call } from './call.ts'
import { bytesInWords } from './upload-words.ts'

interface ListOptions {
  state?: string
  limit: number
  json?: boolean
}

export const listCommand = new Command('list')
  .description('show uploads, newest first')
  .addOption(new Option('--state <state>', 'only those in this state').choices(uploadStates))
  .addOption(new Option('--limit <count>', 'how many at most').argParser(parseCount).default(50))
  .option('--json', 'one JSON object per line')
  .action(async ({ state, limit, json }: ListOptions) => {
    const uploads = await newest(limit, state)
    if (json) for (const upload of uploads) console.log(JSON.stringify(upload))
    else console.log(uploads.length === 0 ? 'There are no uploads.' : asTable(uploads))
  })

async function newest(limit: number, state: string | undefined): Promise<Upload[]> {
  const uploads: Upload[] = []
  let cursor: string | null = null
  do {
    const query: Record<string, string> = { limit: String(Math.min(100, limit - uploads.length)) }
    if (state !== undefined) query.state = state
    if (cursor !== null) query.cursor = cursor
    const page: { uploads: Upload[]; nextCursor: string | null } = await call('listUploads', { query })
    uploads.push(...page.uploads)
    cursor = page.nextCursor
  } while (cursor !== null && uploads.length < limit)
  return uploads
}

function asTable(uploads: readonly Upload[]): string {
  const rows = uploads.map(({ id, state, storedBytes, sizeBytes, lastActivityAt, fileName }) => [
    id,
    state,
    `${percent(state, storedBytes, sizeBytes)} of ${bytesInWords(sizeBytes)}`,
    lastActivityAt.slice(0, 19).replace('T', ' '),
    fileName,
  ])
  const table = [['ID', 'STATE', 'STORED', 'LAST ACTIVITY (UTC)', 'FILE'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function percent(state: Upload['state'], storedBytes: number, sizeBytes: number): string {
  if (state === 'completed' || sizeBytes === 0) return state === 'completed' ? '100 %' : '0 %'
  return `${Math.floor((storedBytes / sizeBytes) * 100)} %`
}

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) throw new InvalidArgumentError('Give a number from 1 to 99999.')
  return Number(text)
}
