import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { type Logger, pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { diffSchema } from '../../prisma/schema-diff.ts'
import { migrate } from '../../server/db/migrate.ts'
import { packageMigrationsDirectory } from '../../server/db/migration-files.ts'
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
let directory: string
let lines: string[]
let log: Logger

beforeEach(async () => {
  database = await createEmptyDatabase()
  directory = await mkdtemp(join(tmpdir(), 'partway-migrations-'))
  lines = []
  log = pino({}, { write: (line) => lines.push(JSON.parse(line).msg) })
})

afterEach(async () => {
  await database.close()
  await rm(directory, { recursive: true })
})

const run = (options: { lockTimeoutMs?: number } = {}) =>
  migrate({ databaseUrl: database.databaseUrl, directory, log, ...options })

async function write(name: string, sql: string) {
  await mkdir(join(directory, name))
  await writeFile(join(directory, name, 'migration.sql'), sql)
}

async function query(sql: string, databaseUrl = database.databaseUrl): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows
  } finally {
    await client.end()
  }
}

const tables = () =>
  query(`select tablename from pg_tables where schemaname = 'public' and tablename not like '\\_%' order by 1`)

describe('the migrations of this package', () => {
  test('leave nothing that schema.prisma says otherwise', async () => {
    await migrate({ databaseUrl: database.databaseUrl, log })
    const schemaFile = join(dirname(packageMigrationsDirectory()), 'schema.prisma')
    expect(await diffSchema(database.databaseUrl, schemaFile)).toBe('')
  })

  test('are in the template that test databases are copied from', async () => {
    const copy = await createTestDatabase()
    expect(await migrate({ databaseUrl: copy.databaseUrl, log })).toEqual({ applied: [] })
    await copy.close()
  })

  test('a column too many in the database is a difference', async () => {
    await migrate({ databaseUrl: database.databaseUrl, log })
    await query('alter table uploads add column surplus int')
    const schemaFile = join(dirname(packageMigrationsDirectory()), 'schema.prisma')
    expect(await diffSchema(database.databaseUrl, schemaFile)).toContain('DROP COLUMN "surplus"')
  })
})

describe('applying', () => {
  test('applies in order of the names, once, and in the form that Prisma knows', async () => {
    await write('20260102000000_fill_table', 'insert into things values (1);')
    await write('20260101000000_create_table', 'create table things (id int);')
    expect(await run()).toEqual({ applied: ['20260101000000_create_table', '20260102000000_fill_table'] })
    expect(await run()).toEqual({ applied: [] })
    expect(await query('select * from things')).toEqual([[1]])
    const history =
      'select migration_name, applied_steps_count, finished_at is not null, rolled_back_at from _prisma_migrations'
    expect(await query(`${history} order by 1`)).toEqual([
      ['20260101000000_create_table', 1, true, null],
      ['20260102000000_fill_table', 1, true, null],
    ])
  })

  test('takes scripts whole: semicolons in comments, strings and function bodies, checks and partial indexes', async () => {
    const sql = `-- first; second
      create table things (id int check (id > 0), name text default 'a;b');
      create index things_named on things (id) where name is not null;
      create function one() returns int language plpgsql as $$ begin return 1; end $$;
      insert into things values (one());`
    await write('20260101000000_create_things', sql)
    await run()
    expect(await query('select * from things')).toEqual([[1, 'a;b']])
  })

  test('records instants in UTC on a server that stands elsewhere', async () => {
    const [[name] = []] = await query('select current_database()')
    await query(`alter database "${name}" set timezone = 'Asia/Shanghai'`)
    await write('20260101000000_create_table', 'create table things (id int);')
    await run()
    const age = 'select abs(extract(epoch from now() - finished_at)) < 600 from _prisma_migrations'
    expect(await query(age)).toEqual([[true]])
  })

  test('shares a database with the tables of another application, or keeps to a schema of its own', async () => {
    await query('create table theirs (id int)')
    await write('20260101000000_create_table', 'create table things (id int);')
    await run()
    const url = new URL(database.databaseUrl)
    url.searchParams.set('schema', 'partway')
    expect(await migrate({ databaseUrl: url.href, directory, log })).toEqual({
      applied: ['20260101000000_create_table'],
    })
    expect(await query('select count(*)::int from partway._prisma_migrations')).toEqual([[1]])
  })
})

describe('several instances', () => {
  test('five processes at once apply everything once', async () => {
    await write('20260101000000_create_table', 'create table things (id int); select pg_sleep(0.3);')
    await write('20260102000000_fill_table', 'insert into things values (1);')
    const results = await Promise.all([1, 2, 3, 4, 5].map(() => migrateInProcess()))
    expect(results.map(({ applied }) => applied.length).sort()).toEqual([0, 0, 0, 0, 2])
    expect(await query('select * from things')).toEqual([[1]])
  })

  test('one that waits says so, and gives up with a clear error', async () => {
    await write('20260101000000_create_table', 'create table things (id int);')
    const holder = new pg.Client({ connectionString: database.databaseUrl })
    await holder.connect()
    await holder.query('select pg_advisory_lock(72707369)')
    await expect(run({ lockTimeoutMs: 100 })).rejects.toThrow(/Another instance has been migrating the database/)
    expect(lines).toEqual(['waiting for another instance that migrates the database'])
    await holder.end()
    expect(await run()).toEqual({ applied: ['20260101000000_create_table'] })
  })

  test('a waiting one goes on when the connection of the other one breaks', async () => {
    await write('20260101000000_create_table', 'create table things (id int);')
    const holder = new pg.Client({ connectionString: database.databaseUrl })
    holder.on('error', () => {})
    await holder.connect()
    await holder.query('select pg_advisory_lock(72707369)')
    const waiting = run()
    const isWaiting = `select count(*)::int from pg_locks where locktype = 'advisory' and not granted`
    await expect.poll(() => query(isWaiting)).toEqual([[1]])
    await query(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and objid = 72707369
      and database = (select oid from pg_database where datname = current_database())`)
    expect(await waiting).toEqual({ applied: ['20260101000000_create_table'] })
  })
})

describe('what goes wrong', () => {
  test('a failing migration is named with its line, leaves nothing, and can be repeated once corrected', async () => {
    await write('20260101000000_create_table', 'create table things (id int);')
    await write('20260102000000_break_off', 'create table more (id int);\n\ninsert into nowhere values (1);\n')
    await expect(run()).rejects.toThrow(
      /20260102000000_break_off failed and was rolled back: relation "nowhere" does not exist \(.*migration\.sql:3\)/,
    )
    expect(await tables()).toEqual([['things']])
    expect(await query('select migration_name from _prisma_migrations')).toEqual([['20260101000000_create_table']])
    await writeFile(join(directory, '20260102000000_break_off', 'migration.sql'), 'create table more (id int);')
    expect(await run()).toEqual({ applied: ['20260102000000_break_off'] })
  })

  test('an edited migration is refused by name; other line ends are no edit', async () => {
    await write('20260101000000_create_table', 'create table things (id int);\nselect 1;\n')
    await run()
    const file = join(directory, '20260101000000_create_table', 'migration.sql')
    await writeFile(file, 'create table things (id int);\r\nselect 1;\r\n')
    expect(await run()).toEqual({ applied: [] })
    await appendFile(file, '-- and more')
    await expect(run()).rejects.toThrow(/20260101000000_create_table was edited after it had been applied/)
  })

  test('an entry that stands as failed is refused by name', async () => {
    await write('20260101000000_create_table', 'create table things (id int);')
    await run()
    await query(`update _prisma_migrations set finished_at = null, logs = 'disk full'`)
    await expect(run()).rejects.toThrow(/20260101000000_create_table stands as failed.*disk full/)
  })

  test('a script with a COMMIT of its own is refused', async () => {
    await write('20260101000000_commit_things', 'create table things (id int); commit;')
    await expect(run()).rejects.toThrow(/ends the transaction it runs in/)
  })

  test('a database that is ahead is only reported', async () => {
    await write('20260101000000_create_table', 'create table things (id int);')
    await run()
    await rm(join(directory, '20260101000000_create_table'), { recursive: true })
    expect(await run()).toEqual({ applied: [] })
    expect(lines.at(-1)).toBe('the database has a migration that this version does not know')
  })

  test('a URL that is none is refused without showing it', async () => {
    const failing = migrate({ databaseUrl: 'mysql://me:hunter2@host/db', directory, log })
    await expect(failing).rejects.toThrow(/^(?!.*hunter2).*DATABASE_URL is not a URL of the form/)
  })
})

async function migrateInProcess(): Promise<{ applied: string[] }> {
  const hooks = fileURLToPath(new URL('../support/typescript-hooks.mjs', import.meta.url))
  const source = new URL('../../server/db/migrate.ts', import.meta.url).href
  const script = `import { migrate } from ${JSON.stringify(source)}
    const [databaseUrl, directory] = process.argv.slice(1)
    const log = { info() {}, warn() {} }
    console.log(JSON.stringify(await migrate({ databaseUrl, directory, log })))`
  const args = ['--import', hooks, '--input-type=module', '--eval', script, database.databaseUrl, directory]
  const env = { ...process.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return JSON.parse(output)
}
