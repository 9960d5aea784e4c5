import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import pg from 'pg'
import { pino } from 'pino'
import { migrate } from '../../server/db/migrate.ts'
import { packageMigrationsDirectory, readMigrationFiles } from '../../server/db/migration-files.ts'
import { closed, opened, protectPassword, watch } from './secret-watch.ts'

export type TestDatabase = { databaseUrl: string; close(): Promise<void> }

const startTimeoutMs = 60_000
const templateLockId = 7_262_797_833

/** A database of this test file alone, with all migrations applied; a copy of a template, so it takes some 20 ms.
 *  The server behind it is `TEST_DATABASE_URL`, whose user must be allowed to create databases, or else an embedded
 *  Postgres that the first caller of a test run starts, and that ends and vanishes when the run does. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = await findServer()
  const template = await createTemplate(serverUrl)
  const name = `partway_test_${randomBytes(6).toString('hex')}`
  await administrate(serverUrl, (admin) =>
    admin.query(`create database ${name} template ${template} strategy file_copy`),
  )
  const databaseUrl = withDatabase(serverUrl, name)
  const database: TestDatabase = {
    databaseUrl,
    async close() {
      await administrate(databaseUrl, watchRows)
      await administrate(serverUrl, (admin) => admin.query(`drop database if exists ${name} with (force)`))
      closed(database)
    },
  }
  protectPassword(databaseUrl)
  opened(database)
  return database
}

/** An empty database, without migrations. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  const serverUrl = await findServer()
  const name = `partway_test_${randomBytes(6).toString('hex')}`
  await administrate(serverUrl, (admin) => admin.query(`create database ${name}`))
  return {
    databaseUrl: withDatabase(serverUrl, name),
    close: () => administrate(serverUrl, (admin) => admin.query(`drop database if exists ${name} with (force)`)),
  }
}

/** Looks for secrets in every row of every table. */
async function watchRows(sql: pg.Client): Promise<void> {
  const tables = await sql.query<{ name: string }>(
    `select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`,
  )
  if (tables.rows.length === 0) throw new Error('a test database without tables')
  for (const { name } of tables.rows) {
    const rows = await sql.query<{ text: string | null }>(
      `select string_agg(row::text, chr(10)) as text from ${name} as row`,
    )
    watch(`a row of ${name}`, rows.rows[0]?.text ?? '')
  }
}

/** Makes the template of the present migrations unless it exists. It gets its name last, so that half a template is
 *  never copied; a lock lets the others wait. */
async function createTemplate(serverUrl: string): Promise<string> {
  const hash = createHash('sha256')
  for (const { name, sql } of await readMigrationFiles(packageMigrationsDirectory())) hash.update(`${name}\n${sql}\n`)
  const template = `partway_template_${hash.digest('hex').slice(0, 16)}`
  await administrate(serverUrl, async (admin) => {
    await admin.query(`select pg_advisory_lock(${templateLockId})`)
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [template])
    if (rowCount === 1) return
    await admin.query(`drop database if exists ${template}_new with (force)`)
    await admin.query(`create database ${template}_new`)
    const databaseUrl = withDatabase(serverUrl, `${template}_new`)
    await migrate({ databaseUrl, log: pino({ level: 'silent' }) })
    await admin.query(`alter database ${template}_new rename to ${template}`)
  })
  return template
}

async function findServer(): Promise<string> {
  if (process.env.TEST_DATABASE_URL) return process.env.TEST_DATABASE_URL
  // A worker is a child process of the test runner, or a thread in it.
  const runnerPid = isMainThread ? process.ppid : process.pid
  const runDir = join(tmpdir(), `partway-test-${runnerPid}-${startTimeOf(runnerPid)}`)
  if (claim(runDir)) startKeeper(runDir, runnerPid)
  const deadline = performance.now() + startTimeoutMs
  while (performance.now() < deadline) {
    if (existsSync(join(runDir, 'ready'))) return readFileSync(join(runDir, 'url'), 'utf8')
    if (existsSync(join(runDir, 'error'))) throw new Error(readFileSync(join(runDir, 'error'), 'utf8'))
    await sleep(20)
  }
  throw new Error(`no test database after ${startTimeoutMs / 1000} s: see ${runDir}`)
}

function startKeeper(runDir: string, runnerPid: number) {
  const [hooks, keeper] = ['./typescript-hooks.mjs', './postgres-keeper.ts'].map(
    (path) => new URL(path, import.meta.url),
  )
  const args = ['--import', String(hooks), fileURLToPath(String(keeper)), runDir, String(runnerPid)]
  spawn(process.execPath, args, { detached: true, stdio: 'ignore', env: { ...process.env, NODE_OPTIONS: '' } }).unref()
}

/** Making a folder succeeds for exactly one process. */
function claim(runDir: string): boolean {
  try {
    mkdirSync(runDir)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** Tells two processes apart that had the same id; empty where there is no /proc. */
function startTimeOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

async function administrate(serverUrl: string, work: (admin: pg.Client) => Promise<unknown>) {
  const admin = new pg.Client({ connectionString: serverUrl })
  await admin.connect()
  try {
    await work(admin)
  } finally {
    await admin.end()
  }
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}
