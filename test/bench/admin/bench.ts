import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbeddedPostgres } from '../../../server/local-cloud/embedded-postgres.ts'
import { createLogger } from '../../../server/log.ts'
import { startBenchServer } from './bench-server.ts'
import { report } from './report.ts'
import { timeLists } from './time-lists.ts'
import { timeSummary } from './time-summary.ts'

export const about = 'lists and summary of administrators, on a large table and on a small one'

/**
 * Options: `--uploads` (1000000) and `--small` (10000): open uploads in the two tables. `--rounds` (15): how often each page is asked for.
 * `--limit` (50): rows per page. `--json FILE`: every figure. `--data-dir DIR`: keep the databases there, and use them again.
 */
export async function run(args: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args,
    options: {
      uploads: { type: 'string', default: '1000000' },
      small: { type: 'string', default: '10000' },
      rounds: { type: 'string', default: '15' },
      limit: { type: 'string', default: '50' },
      json: { type: 'string' },
      'data-dir': { type: 'string' },
    },
  })
  const dataDir = values['data-dir'] ?? (await mkdtemp(join(tmpdir(), 'partway-bench-')))
  const log = createLogger({ level: 'error' })
  const postgres = await startEmbeddedPostgres({
    dataDir: join(dataDir, 'postgres'),
    settings: { max_wal_size: '8GB' },
    log,
  })
  try {
    const small = await startBenchServer(postgres.databaseUrl, dataDir, Number(values.small))
    const large = await startBenchServer(postgres.databaseUrl, dataDir, Number(values.uploads))
    try {
      const lists = await timeLists({ large, small }, { rounds: Number(values.rounds), limit: Number(values.limit) })
      const summary = await timeSummary(large)
      if (values.json) await writeFile(values.json, JSON.stringify({ lists, summary }, null, 2))
      return report({ uploads: large.openUploads, small: small.openUploads, lists, summary })
    } finally {
      await Promise.all([large.close(), small.close()])
    }
  } finally {
    await postgres.stop()
    if (values['data-dir'] === undefined) await rm(dataDir, { recursive: true, force: true })
  }
}
