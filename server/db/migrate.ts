import pg from 'pg'
import type { Logger } from 'pino'
import { connectionUrl } from './connection-url.ts'
import { type MigrationFile, packageMigrationsDirectory, readMigrationFiles } from './migration-files.ts'
import { createHistoryTable, findPending, lockHistory, readHistory } from './migration-history.ts'
import { everything, openSchemaEngine } from './schema-engine.ts'

export type MigrateOptions = {
  databaseUrl: string
  /** Folder of migrations. Default: this package's. */
  directory?: string | undefined
  /** How long to wait while another instance migrates, in ms. Default: 10 minutes. */
  lockTimeoutMs?: number | undefined
  log: Pick<Logger, 'info' | 'warn'>
}

/** Brings the database to the state of the migrations. Each one is applied in a transaction of its own, together with
 *  its line in `_prisma_migrations`: it is there as a whole or not at all, so a failed start can simply be repeated.
 *  (Hence no CREATE INDEX CONCURRENTLY in a migration.) Of several instances one applies, the others wait.
 *  Needs a direct connection, not PgBouncer in transaction mode: the lock belongs to the session.
 *
 *  Throws when a migration fails; when one was edited after it had been applied; when one stands as failed, as
 *  Prisma's own CLI leaves it. A database that is ahead, as in a rolling upgrade, is only logged. */
export async function migrate(options: MigrateOptions): Promise<{ applied: string[] }> {
  const { log, directory = packageMigrationsDirectory(), lockTimeoutMs = 600_000 } = options
  const files = await readMigrationFiles(directory)
  const { connectionString, schema } = connectionUrl(options.databaseUrl, { statement_timeout: 0 })
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    application_name: 'partway migrate',
  })
  client.on('error', (error) => log.warn({ err: error }, 'the connection that migrates the database was lost'))
  await client.connect()
  try {
    if (findPending(files, await readHistory(client), log).length === 0) return { applied: [] }
    await lockHistory(client, lockTimeoutMs, log)
    if (schema) await client.query(`create schema if not exists "${schema}"`)
    await client.query(createHistoryTable)
    const pending = findPending(files, await readHistory(client), log)
    if (pending.length > 0) await applyAll(client, schema, directory, files, pending)
    for (const { name } of pending) log.info({ migration: name }, 'migration applied')
    return { applied: pending.map(({ name }) => name) }
  } finally {
    await client.end() // gives up the lock
  }
}

async function applyAll(
  client: pg.Client,
  schema: string | undefined,
  directory: string,
  files: MigrationFile[],
  pending: MigrationFile[],
) {
  let failure: unknown
  const engine = await openSchemaEngine(client, schema, async (sql) => {
    failure = undefined
    await runAtomically(client, sql).catch((error) => {
      failure = error
      throw error
    })
  })
  try {
    for (const migration of pending) {
      await client.query('begin')
      const upToThis = files.slice(0, files.indexOf(migration) + 1)
      await engine
        .applyMigrations({ migrationsList: toEngineList(directory, upToThis), filters: everything })
        .catch((error) => {
          throw new Error(describeFailure(migration, failure ?? error), { cause: failure ?? error })
        })
      await client.query('commit')
    }
  } finally {
    engine.free()
  }
}

/** Runs a script in one piece. The savepoint lets the engine go on after a failure, until all is rolled back; it also
 *  proves that the script did not end the transaction, for then it is gone. */
async function runAtomically(client: pg.Client, sql: string) {
  await client.query('savepoint partway_migration')
  try {
    await client.query(sql)
  } catch (error) {
    await client.query('rollback to savepoint partway_migration')
    throw error
  }
  await client.query('release savepoint partway_migration').catch((error) => {
    throw new Error('it ends the transaction it runs in; COMMIT and ROLLBACK must not stand in it', { cause: error })
  })
}

function describeFailure({ name, path, sql }: MigrationFile, error: unknown): string {
  const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
  const position = error instanceof pg.DatabaseError ? Number(error.position) : Number.NaN
  const line = Number.isNaN(position) ? '' : `:${sql.slice(0, position).split('\n').length}`
  return `Migration ${name} failed and was rolled back: ${reason} (${path}${line})`
}

function toEngineList(baseDir: string, files: MigrationFile[]) {
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"' },
    shadowDbInitScript: '',
    migrationDirectories: files.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: sql } },
    })),
  }
}
