import { migrate as applyMigrations, type MigrateOptions } from './db/migrate.ts'

/**
 * Brings the database up to date, as `partway serve` does at start: one instance applies what is missing, the others wait. Takes the URL as
 * the configuration has it, and throws when it has none: only `partway serve` starts a Postgres by itself.
 */
export function migrate({
  databaseUrl,
  ...options
}: Omit<MigrateOptions, 'databaseUrl'> & { databaseUrl: string | null }): Promise<{ applied: string[] }> {
  if (databaseUrl === null) throw new Error('Set DATABASE_URL: only "partway serve" starts a Postgres by itself.')
  return applyMigrations({ ...options, databaseUrl })
}
