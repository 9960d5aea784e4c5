import pg from 'pg'
import { clusterSuperuser } from './postgres-cluster.ts'

/** A process's claim on a running embedded Postgres. While it lasts, no other process of ours stops the server. */
export type PostgresClaim = {
  /** Gives the claim up. True when nobody else has one: the caller stops the server, and nobody can claim it before
   *  that. False when others go on using it. */
  release(): Promise<boolean>
}

const database = 'partway'
const connectTimeoutMs = 2_000
// Any number, the same for everybody. An advisory lock, held in database `postgres`: shared by those who use the
// server, exclusive for the one that stops it. It ends with its connection, so a kill -9 gives it up too.
const lockId = 7_262_797_832

export function embeddedDatabaseUrl(port: number, password: string): string {
  return `postgresql://${clusterSuperuser}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`
}

/** Claims the server on `port`; null when it is just starting or stopping, or does not answer in 2 s. Makes the
 *  database that `embeddedDatabaseUrl` names. Throws when the server refuses for another reason, e.g. the password. */
export async function claimPostgres(port: number, password: string): Promise<PostgresClaim | null> {
  let client: pg.Client
  try {
    client = await connect(port, password)
  } catch (error) {
    if (isTransient(error)) return null
    throw error
  }
  try {
    if (!(await ask(client, `select pg_try_advisory_lock_shared(${lockId}) as answer`))) {
      await client.end()
      return null
    }
    await createDatabase(client)
  } catch (error) {
    await client.end().catch(() => {})
    if (isTransient(error)) return null
    throw error
  }
  keepsProcessAlive(client, false)
  return { release: () => release(client, port, password) }
}

async function release(held: pg.Client, port: number, password: string): Promise<boolean> {
  keepsProcessAlive(held, true)
  try {
    await ask(held, `select pg_advisory_unlock_shared(${lockId}) as answer`)
    return await isLast(held)
  } catch {
    // The connection was lost, for instance because the server has been restarted since.
    const fresh = await connect(port, password).catch(() => null)
    return fresh === null || (await isLast(fresh))
  }
}

/** Takes the exclusive lock, waiting a moment for servers to notice the end of killed processes. */
async function isLast(client: pg.Client): Promise<boolean> {
  await client.query(`set lock_timeout = '300ms'`)
  try {
    await client.query(`select pg_advisory_lock(${lockId})`)
    return true // the lock is kept until the server is down
  } catch {
    await client.end()
    return false
  }
}

async function connect(port: number, password: string): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: clusterSuperuser,
    password,
    database: 'postgres',
    ssl: false,
    application_name: 'partway embedded-postgres',
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: 5_000,
  })
  client.on('error', () => {}) // a server that dies must not take us with it; release() copes
  await client.connect()
  return client
}

/** Methods of pg.Client that its types leave out. A claim that just lasts does not keep its process from ending. */
function keepsProcessAlive(client: pg.Client, yes: boolean) {
  const { ref, unref } = client as pg.Client & { ref(): void; unref(): void }
  ;(yes ? ref : unref).call(client)
}

async function createDatabase(client: pg.Client) {
  if (await ask(client, `select exists (select from pg_database where datname = '${database}') as answer`)) return
  await client.query(`create database ${database}`).catch((error: { code?: string }) => {
    // Another process made it in the same moment: duplicate_database, or unique_violation in the catalogue.
    if (error.code !== '42P04' && error.code !== '23505') throw error
  })
}

async function ask(client: pg.Client, sql: string): Promise<boolean> {
  const { rows } = await client.query<{ answer: boolean }>(sql)
  return rows[0]?.answer === true
}

/** Starting, stopping, full, or gone while we talked. */
function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return (
    /^(57P0[123]|53300|ECONN(REFUSED|RESET)|EPIPE|ETIMEDOUT)$/.test(code) || /timeout|terminated/i.test(error.message)
  )
}
