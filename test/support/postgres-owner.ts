import { createInterface } from 'node:readline'
import { pino } from 'pino'
import { startEmbeddedPostgres } from '../../server/local-cloud/embedded-postgres.ts'

/* A process that owns an embedded Postgres, to be killed by tests or to race with others. Arguments: the data directory,
 * and a port or nothing. Prints one line of JSON; stops when told so by any line on stdin, and prints another. */

const [dataDir = '', port] = process.argv.slice(2)
const settings = { fsync: 'off' }
try {
  const postgres = await startEmbeddedPostgres({
    dataDir,
    settings,
    port: port ? Number(port) : undefined,
    log: pino({ level: 'silent' }),
  })
  console.log(JSON.stringify({ databaseUrl: postgres.databaseUrl }))
  for await (const _ of createInterface({ input: process.stdin })) break
  await postgres.stop()
  console.log(JSON.stringify({ stopped: true }))
} catch (error) {
  console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }))
}
process.exit()
