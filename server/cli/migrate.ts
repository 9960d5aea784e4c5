import { Command } from 'commander'
import { loadConfig } from '../config.ts'
import { migrate } from '../db/migrate.ts'
import { createLogger } from '../log.ts'
import { CommandFailure, exitCode } from './exit-code.ts'

export const migrateCommand = new Command('migrate')
  .description('bring the database of DATABASE_URL up to date; "serve" does so by itself at start')
  .action(async () => {
    const config = loadConfig()
    if (config.database.url === null) {
      throw new CommandFailure(
        exitCode.usage,
        'DATABASE_URL is not set. The embedded Postgres is migrated by "partway serve".',
      )
    }
    const log = createLogger({ level: config.logLevel })
    const { applied } = await migrate({ databaseUrl: config.database.url, log }).catch((error: Error) => {
      throw new CommandFailure(exitCode.failed, `The database was not migrated: ${error.message}`, error)
    })
    console.log(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`)
  })
