import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlQuery,
  type SqlResultSet,
} from '@prisma/driver-adapter-utils'
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
    const queryRaw = async (query: SqlQuery) => restoreChars(await adapter.queryRaw(query))
    // adapter-pg's own executeScript cuts at every semicolon, also in comments, strings and function bodies.
    return Object.assign(Object.create(adapter), { queryRaw, executeScript: runScript })
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

/** The engine reports a panic to this global before it traps, with a message that the trap itself lacks. */
const panics = {
  set_message(message: string) {
    throw new Error(`Prisma's schema engine panicked: ${message}`)
  },
}

let engineModule: Promise<EngineModule> | undefined

/** The package's own entry imports the .wasm file as a module, which Node can't: so it is put together here. */
function loadEngine(): Promise<EngineModule> {
  engineModule ??= (async () => {
    // Prisma's client sets the global too, and its own does as well.
    if (!('PRISMA_WASM_PANIC_REGISTRY' in globalThis)) Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: panics })
    const entry = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg')
    const bindings: EngineModule = await import(pathToFileURL(entry).href)
    const bytes = await readFile(join(dirname(entry), 'schema_engine_bg.wasm'))
    const imports = withoutLingeringTimers({ ...bindings })
    const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': imports })
    bindings.__wbg_set_wasm(instance.exports)
    const start = instance.exports.__wbindgen_start
    if (typeof start === 'function') start()
    return bindings
  })()
  return engineModule
}

/** The engine sets timers, such as 10 s for its lock, and never clears them: they must not keep a process from ending. */
function withoutLingeringTimers(imports: Record<string, unknown>): Record<string, unknown> {
  for (const [name, set] of Object.entries(imports)) {
    if (!name.startsWith('__wbg_setTimeout_') || typeof set !== 'function') continue
    imports[name] = (...args: unknown[]) => (set(...args) as NodeJS.Timeout).unref()
  }
  return imports
}

const charOid = 18
const textOid = 25
const charMark = ' (char)'

/** A pool, as adapter-pg wants one, that has but the one connection. It passes off Postgres's internal type "char",
 *  which adapter-pg does not know, as text, and marks the column: the engine reads pg_constraint.contype, a "char". */
function poolOf(client: pg.Client): pg.Pool {
  const query = async (config: pg.QueryArrayConfig) => {
    const result = await client.query(config)
    const fields = result.fields.map((field) =>
      field.dataTypeID === charOid ? { ...field, dataTypeID: textOid, name: field.name + charMark } : field,
    )
    return { ...result, fields }
  }
  const connect = () => Promise.reject(new Error('the schema engine opens no transaction of its own'))
  return Object.assign(new pg.Pool(), { query, connect })
}

function restoreChars({ columnNames, columnTypes, rows }: SqlResultSet): SqlResultSet {
  return {
    rows,
    columnNames: columnNames.map((name) => name.replace(charMark, '')),
    columnTypes: columnTypes.map((type, index) =>
      columnNames[index]?.endsWith(charMark) ? ColumnTypeEnum.Character : type,
    ),
  }
}
