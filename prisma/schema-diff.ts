import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { connectionUrl } from '../server/db/connection-url.ts'
import { everything, openSchemaEngine } from '../server/db/schema-engine.ts'

/** The SQL that would turn the database's tables into those of a Prisma schema file; empty when nothing differs. What
 *  Prisma's schema language has no words for (CHECK constraints, partial and expression indexes) is not compared. */
export async function diffSchema(databaseUrl: string, schemaFile: string): Promise<string> {
  const { connectionString, schema } = connectionUrl(databaseUrl)
  const files = [{ path: schemaFile, content: await readFile(schemaFile, 'utf8') }]
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    const engine = await openSchemaEngine(client, schema, () =>
      Promise.reject(new Error('a comparison runs no script')),
    )
    const { stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: '.' },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: null,
      filters: everything,
    })
    engine.free()
    const script = stdout?.trim() ?? ''
    return script === '-- This is an empty migration.' ? '' : script
  } finally {
    await client.end()
  }
}
