import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { startEmbeddedPostgres } from '../../server/local-cloud/embedded-postgres.ts'

/* A process of its own that runs one Postgres for a whole test run, and ends it when the run has ended, in whatever way:
 * arguments are the folder to use (removed at the end) and the process id of the test runner. The URL of the database,
 * or the error, is left in the folder. */

const [runDir = '', runnerPid = ''] = process.argv.slice(2)
// Ctrl-C reaches the whole process group; the runner's end is what counts here.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('SIGHUP', () => {})

const settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_connections: '300',
  jit: 'off',
}
const dataDir = join(runDir, 'postgres')
try {
  const postgres = await startEmbeddedPostgres({ dataDir, settings, log: pino({ level: 'silent' }) })
  writeFileSync(join(runDir, 'url'), postgres.databaseUrl, { mode: 0o600 })
  writeFileSync(join(runDir, 'ready'), '')
  while (isRunning(runnerPid)) await sleep(200)
  await postgres.stop()
} catch (error) {
  writeFileSync(join(runDir, 'error'), error instanceof Error ? error.message : String(error))
  while (isRunning(runnerPid)) await sleep(200)
} finally {
  const pointer = join(dataDir, 'cluster-location')
  if (existsSync(pointer)) rmSync(readFileSync(pointer, 'utf8').trim(), { recursive: true, force: true })
  rmSync(runDir, { recursive: true, force: true })
}

/** False for zombies too: where nobody reaps orphans, a killed runner stays in the process table. */
function isRunning(pid: string): boolean {
  try {
    process.kill(Number(pid), 0)
  } catch {
    return false
  }
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return process.platform !== 'linux'
  }
}
