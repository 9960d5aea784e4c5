import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A migration as it stands in `<directory>/<name>/migration.sql`. */
export type MigrationFile = { name: string; path: string; sql: string }

// From the sources (server/db) and from the build (dist/server/db), wherever the process was started.
const candidates = ['../../prisma/migrations', '../../../prisma/migrations']

/** The migrations that come with this package. */
export function packageMigrationsDirectory(): string {
  const found = candidates.map((path) => fileURLToPath(new URL(path, import.meta.url))).find(existsSync)
  if (found) return found
  throw new Error('The folder prisma/migrations of this package is missing')
}

/** Reads all migrations, oldest first: their names begin with the time. Throws when a folder has no migration.sql. */
export async function readMigrationFiles(directory: string): Promise<MigrationFile[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return Promise.all(
    names.sort().map(async (name) => {
      const path = join(directory, name, 'migration.sql')
      return { name, path, sql: await readFile(path, 'utf8') }
    }),
  )
}

/** Whether `checksum`, as stored when the migration was applied, belongs to this text. It is the SHA-256 in hex;
 *  a checkout with other line ends counts as the same text, as it does for Prisma. */
export function matchesChecksum({ sql }: MigrationFile, checksum: string): boolean {
  const unix = sql.replaceAll('\r\n', '\n')
  return [sql, unix, unix.replaceAll('\n', '\r\n')].some(
    (text) => createHash('sha256').update(text).digest('hex') === checksum,
  )
}
