import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase, type Database, isDatabaseUnavailable, type Queries } from '../../server/db/client.ts'
import { migrate } from '../../server/db/migrate.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../server/local-cloud/embedded-postgres.ts'
import { findPostmaster } from '../../server/local-cloud/postmaster.ts'

// A server of its own, because these tests kill it, stop it and fill it up.
const log = pino({ level: 'silent' })
const settings = { fsync: 'off', max_connections: '12', superuser_reserved_connections: '2', reserved_connections: '0' }
let home: string
let server: EmbeddedPostgres
let db: Database

const start = () => startEmbeddedPostgres({ dataDir: join(home, 'postgres'), settings, log })
const open = (options: { databaseUrl?: string; maxConnections?: number } = {}) =>
  createDatabase({ databaseUrl: server.databaseUrl, maxConnections: 3, log, ...options })

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'partway-client-'))
  await chmod(home, 0o755)
  server = await start()
  await migrate({ databaseUrl: server.databaseUrl, log })
  db = open()
})

afterAll(async () => {
  await db.close()
  await server.stop()
  await rm(home, { recursive: true })
})

async function signal(name: NodeJS.Signals) {
  const postmaster = await findPostmaster(join(home, 'postgres', 'cluster', 'data'))
  if (!postmaster) throw new Error('no server')
  process.kill(postmaster.pid, name)
  return postmaster.pid
}

/** Every way in which the server's code asks the database. */
const waysToAsk: [string, (on: Database) => Promise<unknown>][] = [
  ['a query', (on) => on.prisma.$queryRaw`select 1 as one`],
  ['a statement', (on) => on.prisma.$executeRaw`update uploads set attempts = 1`],
  ['a model', (on) => on.prisma.upload.findFirst()],
  ['a transaction', (on) => on.transaction((sql) => sql.$queryRaw`select 1 as one`)],
  ['ping', (on) => on.ping()],
]

async function judge(asked: Promise<unknown>): Promise<'fine' | 'unavailable' | unknown> {
  return asked.then(
    () => 'fine',
    (error) => (isDatabaseUnavailable(error) ? 'unavailable' : error),
  )
}

const judgeAll = async (on: Database) => Promise.all(waysToAsk.map(async ([way, ask]) => [way, await judge(ask(on))]))
const all = (verdict: string) => waysToAsk.map(([way]) => [way, verdict])

/** A statement and a transaction that are under way while `happening` goes on. */
async function judgeDuring(happening: () => Promise<unknown>) {
  const under = [
    db.prisma.$queryRaw`select pg_sleep(30)::text`,
    db.transaction((sql) => sql.$queryRaw`select pg_sleep(30)::text`),
  ].map(judge)
  const isBusy = `select count(*)::int as busy from pg_stat_activity where wait_event = 'PgSleep'`
  await expect.poll(() => ask(isBusy)).toEqual([{ busy: 2 }])
  await happening()
  return Promise.all(under)
}

async function ask(sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.databaseUrl })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

describe('a database that goes away', () => {
  test.each<NodeJS.Signals>(['SIGKILL', 'SIGINT', 'SIGQUIT'])(
    'is recognised after %s, and used again when it is back',
    async (name) => {
      expect(await judgeAll(db)).toEqual(all('fine'))
      expect(await judgeDuring(() => signal(name))).toEqual(['unavailable', 'unavailable'])
      await expect.poll(() => judgeAll(db)).toEqual(all('unavailable'))
      server = await start()
      expect(await judgeAll(db)).toEqual(all('fine'))
    },
  )

  test('connections that an administrator cuts, busy or idle, are replaced', async () => {
    const cut = () => ask(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'partway'`)
    await Promise.all([1, 2, 3].map(() => db.prisma.$queryRaw`select pg_sleep(0.2)::text`)) // one stays idle below
    expect(await judgeDuring(cut)).toEqual(['unavailable', 'unavailable'])
    // A request can be faster than the news of the cut and draw a dead connection: then it fails, but as unavailable.
    const verdicts: unknown[] = []
    const judgeAgain = async () => {
      const latest = await judgeAll(db)
      verdicts.push(...latest.map(([, verdict]) => verdict))
      return latest
    }
    await expect.poll(judgeAgain).toEqual(all('fine'))
    await cut()
    await expect.poll(judgeAgain).toEqual(all('fine'))
    expect(verdicts.filter((verdict) => verdict !== 'fine' && verdict !== 'unavailable')).toEqual([])
  })

  test('connections that are cut at any moment of mixed work end no process and leave a working pool', async () => {
    const uncaught: unknown[] = []
    const note = (error: unknown) => void uncaught.push(error)
    process.on('uncaughtExceptionMonitor', note)
    const busy = open({ maxConnections: 10 })
    const admin = new pg.Client({ connectionString: server.databaseUrl, application_name: 'administrator' })
    await admin.connect()
    const verdicts = new Map<unknown, number>()
    let isOver = false
    const work = async (ask: () => Promise<unknown>) => {
      while (!isOver) {
        const verdict = await judge(ask())
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
      }
    }
    const twice = (sql: Queries) => sql.$queryRaw`select 1`.then(() => sql.$queryRaw`select 2`)
    const working = Array.from({ length: 20 }, (_, index) =>
      work(index % 2 ? () => busy.prisma.$queryRaw`select 1` : () => busy.transaction(twice)),
    )
    for (let cuts = 0; cuts < 40; cuts++) {
      await delay(60)
      await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'partway'`)
    }
    isOver = true
    await Promise.all(working)
    process.off('uncaughtExceptionMonitor', note)
    await admin.end()
    expect(uncaught).toEqual([])
    expect([...verdicts.keys()].sort()).toEqual(['fine', 'unavailable'])
    await expect.poll(() => judgeAll(busy)).toEqual(all('fine'))
    expect(busy.poolSize().waiting).toBe(0)
    await busy.close()
  })

  test('a server without a free connection is unavailable until there is one', async () => {
    const clients: pg.Client[] = []
    const connectAll = async (): Promise<unknown> => {
      const client = new pg.Client({ connectionString: server.databaseUrl })
      await client.connect()
      clients.push(client)
      return connectAll()
    }
    await expect(connectAll()).rejects.toMatchObject({ code: '53300' })
    const fresh = open()
    expect(await judgeAll(fresh)).toEqual(all('unavailable'))
    await Promise.all(clients.map((client) => client.end()))
    await expect.poll(() => judgeAll(fresh)).toEqual(all('fine'))
    await fresh.close()
  })

  test.each(['127.0.0.1', 'localhost', 'no-such-host.invalid'])('no server at %s is unavailable', async (host) => {
    const nowhere = open({ databaseUrl: `postgresql://me@${host}:1/db` })
    expect(await judgeAll(nowhere)).toEqual(all('unavailable'))
    await nowhere.close()
  })
})

describe('a database that does not answer', () => {
  const onLinux = test.runIf(process.platform === 'linux')

  onLinux('every call ends in bounded time, also inside a transaction, and no stuck connection is kept', async () => {
    await Promise.all([1, 2, 3].map(() => db.prisma.$queryRaw`select pg_sleep(0.2)::text`)) // three open connections
    let hung: number[] = []
    const inTransaction = db.transaction(async (sql) => {
      await sql.$queryRaw`select 1`
      const postmaster = await signal('SIGSTOP')
      hung = [...(await childrenOf(postmaster)), postmaster]
      for (const pid of hung) process.kill(pid, 'SIGSTOP')
      const others = [db.prisma.$queryRaw`select 1`, db.ping(), db.prisma.upload.findFirst()].map(judge)
      return Promise.all([...others, judge(sql.$queryRaw`select 1`)])
    })
    try {
      // Every statement in it fails as unavailable, and so does the commit that follows.
      expect(await judge(inTransaction)).toBe('unavailable')
      await expect.poll(() => db.poolSize()).toEqual({ total: 0, idle: 0, waiting: 0 })
    } finally {
      for (const pid of hung) process.kill(pid, 'SIGCONT')
    }
    await expect.poll(() => judgeAll(db)).toEqual(all('fine'))
  })

  test('a statement that takes too long is ended by the server, also where it waits for a lock', async () => {
    await ask(`create table if not exists locked as select 1 as id`)
    const holder = new pg.Client({ connectionString: server.databaseUrl })
    await holder.connect()
    await holder.query('begin; lock table locked')
    expect(await judge(db.prisma.$queryRaw`select id from locked`)).toBe('unavailable')
    await holder.end()
    expect(await judge(db.prisma.$queryRaw`select id from locked`)).toBe('fine')
  })
})

describe('what is no matter of availability', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['a syntax error', () => db.prisma.$queryRaw`selec`],
    ['a violated constraint', () => db.prisma.$executeRaw`insert into uploads (id) values (null)`],
    ['a wrong password', () => open({ databaseUrl: server.databaseUrl.replace(/:[^:@]+@/, ':wrong@') }).ping()],
    ['a missing database', () => open({ databaseUrl: server.databaseUrl.replace('/partway?', '/missing?') }).ping()],
    ['an error of the program inside a transaction', () => db.transaction(() => Promise.reject(new Error('mine')))],
  ])('%s is no unavailability', async (_, fail) => {
    expect(await judge(fail())).toBeInstanceOf(Error)
  })
})

describe('sessions', () => {
  test('read and write instants rightly on a server that stands elsewhere', async () => {
    await ask(`alter role partway set timezone = 'Asia/Shanghai'`)
    const fresh = open()
    const instant = new Date('2026-03-04T05:06:07.089Z')
    const [row] = await fresh.prisma.$queryRaw<{ at: Date; utc: string }[]>`
      select ${instant}::timestamptz as at, to_char(${instant}::timestamptz at time zone 'UTC', 'HH24:MI') as utc`
    expect(row).toEqual({ at: instant, utc: '05:06' })
    await fresh.close()
    await ask('alter role partway reset timezone')
  })

  test('a failed transaction leaves nothing, a finished one everything', async () => {
    await ask('create table if not exists counted (id int)')
    const failing = db.transaction(async (sql) => {
      await sql.$executeRaw`insert into counted values (1)`
      throw new Error('mine')
    })
    await expect(failing).rejects.toThrow('mine')
    expect(await ask('select * from counted')).toEqual([])
    await db.transaction((sql) => sql.$executeRaw`insert into counted values (2)`)
    expect(await ask('select * from counted')).toEqual([{ id: 2 }])
  })

  test('closing waits for running statements, cuts those that last, and refuses later ones', async () => {
    const closing = open()
    const short = closing.prisma.$queryRaw`select pg_sleep(0.3)::text`.then(() => 'finished')
    const long = judge(closing.prisma.$queryRaw`select pg_sleep(30)::text`)
    await expect.poll(() => closing.poolSize()).toEqual({ total: 2, idle: 0, waiting: 0 })
    await closing.close()
    expect(await short).toBe('finished')
    expect(await long).toBe('unavailable')
    expect(await judgeAll(closing)).toEqual(all('unavailable'))
    expect(closing.poolSize()).toEqual({ total: 0, idle: 0, waiting: 0 })
  })
})

async function childrenOf(pid: number): Promise<number[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number)
}
