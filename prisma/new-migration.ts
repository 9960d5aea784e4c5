import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pino } from 'pino'
import { migrate } from '../server/db/migrate.ts'
import { packageMigrationsDirectory } from '../server/db/migration-files.ts'
import { startEmbeddedPostgres } from '../server/local-cloud/embedded-postgres.ts'
import { diffSchema } from './schema-diff.ts'

/* npm run migration -- verb_noun
 *
 * Writes the next migration: what schema.prisma says beyond the migrations so far. They are applied to a Postgres that
 * lives only for this. Read the result before you commit it: a renamed column, for one, looks like a dropped and an added
 * one. What schema.prisma can't say, such as checks and partial indexes, is yours to add. */

const log = pino({ level: 'silent' })
const noChange = '-- schema.prisma says nothing new. Write here what it has no words for.'

async function writeMigration(name: string): Promise<string> {
  const migrations = packageMigrationsDirectory()
  const dataDir = await mkdtemp(join(tmpdir(), 'partway-migration-'))
  await chmod(dataDir, 0o755) // root's Postgres runs as another user, who must get in
  const postgres = await startEmbeddedPostgres({ dataDir, log, settings: { fsync: 'off' } })
  try {
    await migrate({ databaseUrl: postgres.databaseUrl, log })
    const script = await diffSchema(postgres.databaseUrl, join(dirname(migrations), 'schema.prisma'))
    const time = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14)
    const file = join(migrations, `${time}_${name}`, 'migration.sql')
    await mkdir(dirname(file))
    await writeFile(file, `${script || noChange}\n`)
    return file
  } finally {
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

const [name = ''] = process.argv.slice(2)
if (/^[a-z]+(_[a-z0-9]+)+$/.test(name)) {
  process.stdout.write(`${await writeMigration(name)}\n`)
} else {
  process.stderr.write('Name the migration verb_noun, e.g. npm run migration -- add_tenants\n')
  process.exitCode = 2
}
