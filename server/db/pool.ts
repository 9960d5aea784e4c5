import pg from 'pg'
import type { Logger } from 'pino'

export const connectTimeoutMs = 5_000
/** The server ends a statement first, so that its work ends too; when it does not answer at all, we end the connection. */
export const statementTimeoutMs = 10_000
const answerTimeoutMs = 12_000
const closeTimeoutMs = 3_000

export type PoolOptions = {
  connectionString: string
  /** Upper bound of connections. */
  maxConnections: number
  log: Pick<Logger, 'warn'>
}

/** A pool whose every operation ends in bounded time, whatever the server does: 5 s to get a connection, 12 s for a
 *  statement. A connection that breaks is replaced; the loss is logged, unless a statement fails of it. */
export function createPool({ connectionString, maxConnections, log }: PoolOptions) {
  const pool = new pg.Pool({
    connectionString,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: answerTimeoutMs,
    keepAlive: true,
    application_name: 'partway',
  })
  const clients = new Set<pg.PoolClient>()
  pool.on('connect', (client) => {
    clients.add(client)
    giveUpWhenHung(client)
    // The pool listens while a client is idle and its user while it is in use. Nobody does between the two, and an
    // error that no one listens to ends this process.
    client.on('error', (error) => log.warn({ err: error }, 'lost a database connection'))
  })
  pool.on('remove', (client) => clients.delete(client))
  // The pool passes on what idle clients report: an error as well that must not go unheard, but logged it is by now.
  pool.on('error', () => {})

  /** Lets running statements end for 3 s, then cuts their connections. Later statements fail. */
  async function close() {
    const cut = setTimeout(() => clients.forEach(cutConnection), closeTimeoutMs)
    await pool.end()
    clearTimeout(cut)
  }
  return { pool, close }
}

/** pg's query_timeout fails the statement but leaves the connection waiting for its answer. A transaction would give
 *  it back to the pool like that, and the next user would wait behind it. */
function giveUpWhenHung(client: pg.PoolClient) {
  const query = client.query as (...args: unknown[]) => unknown
  const bounded = (...args: unknown[]) => {
    const result = query.apply(client, args)
    if (result instanceof Promise) result.catch((error) => isAnswerTimeout(error) && cutConnection(client))
    return result
  }
  Object.assign(client, { query: bounded })
}

/** Whether pg gave up waiting for the answer to a statement. */
function isAnswerTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout'
}

function cutConnection(client: pg.PoolClient) {
  const { connection } = client as pg.PoolClient & { connection: { stream: { destroy(): void } } }
  connection.stream.destroy()
}
