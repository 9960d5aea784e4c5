import pg from 'pg'
import type { Logger } from 'pino'
import { type MigrationFile, matchesChecksum } from './migration-files.ts'

/* The table `_prisma_migrations`, which Prisma's own tools read and write too. */

export type AppliedRow = { name: string; checksum: string; finished: boolean; logs: string | null }

// The advisory lock of Prisma's own engine, so that `prisma migrate deploy` waits for us and we for it.
const lockId = 72_707_369

// As Prisma's engine makes it. It is made here because the engine refuses a schema that has tables but not this one:
// Partway may share a database with the application that mounts it.
export const createHistoryTable = `create table if not exists _prisma_migrations (
  id varchar(36) primary key not null, checksum varchar(64) not null, finished_at timestamptz,
  migration_name varchar(255) not null, logs text, rolled_back_at timestamptz,
  started_at timestamptz not null default now(), applied_steps_count integer not null default 0
)`

/** The migrations that the database has or began; none when the table is missing. */
export async function readHistory(client: pg.Client): Promise<AppliedRow[]> {
  const { rows: tables } = await client.query(`select 1 where to_regclass('_prisma_migrations') is not null`)
  if (tables.length === 0) return []
  const { rows } = await client.query<AppliedRow>(
    `select migration_name as name, checksum, finished_at is not null as finished, logs
     from _prisma_migrations where rolled_back_at is null order by started_at`,
  )
  return rows
}

/** Compares files and database. Throws when one was edited after it had been applied, or stands as failed, as Prisma's
 *  own CLI leaves it. A database that is ahead, as in a rolling upgrade, is only logged. */
export function findPending(
  files: MigrationFile[],
  history: AppliedRow[],
  log: Pick<Logger, 'info' | 'warn'>,
): MigrationFile[] {
  for (const { name, finished, logs, checksum } of history) {
    const file = files.find((candidate) => candidate.name === name)
    if (!finished) {
      throw new Error(
        `Migration ${name} stands as failed in _prisma_migrations, left there by "prisma migrate" or by a COMMIT in its ` +
          `script: see what it left undone, then run "prisma migrate resolve". Its log: ${logs?.split('\n')[0] || 'none'}`,
      )
    }
    if (!file) log.warn({ migration: name }, 'the database has a migration that this version does not know')
    else if (!matchesChecksum(file, checksum)) {
      throw new Error(
        `Migration ${name} was edited after it had been applied. Restore ${file.path}; add a new migration instead`,
      )
    }
  }
  const known = new Set(history.map(({ name }) => name))
  return files.filter(({ name }) => !known.has(name))
}

/** Takes the lock under which migrations are applied, for the life of the connection. Throws after the timeout. */
export async function lockHistory(client: pg.Client, timeoutMs: number, log: Pick<Logger, 'info' | 'warn'>) {
  const { rows } = await client.query<{ locked: boolean }>(`select pg_try_advisory_lock(${lockId}) as locked`)
  if (rows[0]?.locked) return
  log.info({ timeoutMs }, 'waiting for another instance that migrates the database')
  try {
    await client.query(`set lock_timeout = ${timeoutMs}`)
    await client.query(`select pg_advisory_lock(${lockId})`)
    await client.query('reset lock_timeout')
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === '55P03')) throw error
    throw new Error(
      `Another instance has been migrating the database for over ${timeoutMs / 1000} s: look for "partway migrate" in pg_stat_activity`,
    )
  }
}
