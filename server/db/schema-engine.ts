import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory, type SqlDriverAdapter } from '@prisma/driver-adapter-utils'
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg'
import pg from 'pg'

type EngineModule = {
  SchemaEngine: { new (...args: never): SchemaEngine } & Pick<typeof SchemaEngine, 'new'>
  __wbg_set_wasm(exports: WebAssembly.Exports): void
}

/** Entities the engine shall leave alone: none. */
export const everything = { externalTables: [], externalEnums: [] }

/** Opens Prisma's schema engine, in its WebAssembly form, on one connection, which stays the caller's: whatever the
 *  engine does happens in the caller's session, under its locks and inside its transaction.
 *  @param client a connected client in UTC
 *  @param schema the Postgres schema, undefined for `public`
 *  @param runScript runs the text of a migration; see `runAtomically` in migrate.ts */
export async function openSchemaEngine(
  client: pg.Client,
  schema: string | undefined,
  runScript: (sql: string) => Promise<void>,
): Promise<SchemaEngine> {
  const { SchemaEngine } = await loadEngine()
  const connect = async (): Promise<SqlDriverAdapter> => {
    const adapter = await new PrismaPg(poolOf(client), schema ? { schema } : {}).connect()
    // adapter-pg cuts scripts at every semicolon, also in comments, strings and function bodies.
    return Object.assign(adapter, { executeScript: runScript })
  }
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect,
    // adapter-pg's own would run the script in the real database: its connection string wins over the database name.
    connectToShadowDb: () => Promise.reject(new Error('Partway uses no shadow database')),
  })
  return SchemaEngine.new({ datamodels: undefined }, () => {}, factory)
}

let engineModule: Promise<EngineModule> | undefined

/** The package's own entry imports the .wasm file as a module, which Node can't: so it is put together here. */
function loadEngine(): Promise<EngineModule> {
  engineModule ??= (async () => {
    const entry = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg')
    const bindings: EngineModule = await import(pathToFileURL(entry).href)
    const bytes = await readFile(join(dirname(entry), 'schema_engine_bg.wasm'))
    const imports = { './schema_engine_bg.js': bindings }
    const { instance } = await WebAssembly.instantiate(bytes, imports)
    bindings.__wbg_set_wasm(instance.exports)
    const start = instance.exports.__wbindgen_start
    if (typeof start === 'function') start()
    return bindings
  })()
  return engineModule
}

const charOid = 18
const textOid = 25

/** A pool, as adapter-pg wants one, that has but the one connection. It also passes off Postgres's internal type
 *  "char", which adapter-pg does not know, as text: the engine reads pg_constraint.contype, a "char". */
function poolOf(client: pg.Client): pg.Pool {
  const query = async (config: pg.QueryArrayConfig) => {
    const result = await client.query(config)
    const fields = result.fields.map((field) =>
      field.dataTypeID === charOid ? { ...field, dataTypeID: textOid } : field,
    )
    return { ...result, fields }
  }
  const connect = () => Promise.reject(new Error('the schema engine opens no transaction of its own'))
  return Object.assign(new pg.Pool(), { query, connect })
}
