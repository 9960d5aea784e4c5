import { PrismaPg } from '@prisma/adapter-pg'
import type { Logger } from 'pino'
import { type Prisma, PrismaClient } from '../../prisma/generated/client.ts'
import { connectionUrl } from './connection-url.ts'
import { connectTimeoutMs, createPool, statementTimeoutMs } from './pool.ts'

export { isDatabaseUnavailable } from './database-unavailable.ts'

/** What statements run on: the database itself, or a transaction. */
export type Queries = Prisma.TransactionClient

export interface Database {
  prisma: PrismaClient
  /** Runs `work` in one transaction, read committed: every statement sees what others have committed by then, and
   *  conditional updates and row locks decide races. Waits 5 s at most for a connection. After 15 s the transaction is
   *  rolled back and `work`'s next statement fails. Statements must go to `sql`, not to `prisma`; an error of one must
   *  leave `work`, for Postgres rolls back the whole transaction after it, even when asked to commit. */
  transaction<T>(work: (sql: Queries) => Promise<T>): Promise<T>
  /** Resolves when the database answers; throws after 3 s at most. Throws also when the session does not stand at UTC,
   *  as behind a PgBouncer that drops start-up options: then instants would be wrong. */
  ping(): Promise<void>
  /** Connections of this process, and requests that wait for one. */
  poolSize(): { total: number; idle: number; waiting: number }
  /** Lets running statements end for 3 s, then cuts them. Later ones fail. */
  close(): Promise<void>
}

export type DatabaseOptions = {
  databaseUrl: string
  /** Upper bound of connections held by this process. More than that many requests wait, 5 s at most. */
  maxConnections: number
  log: Pick<Logger, 'info' | 'warn'>
}

const transactionTimeoutMs = 15_000
const pingTimeoutMs = 3_000

/** Opens no connection before the first statement. Broken connections are replaced without a restart; a statement that
 *  is faster than the news of the break fails once per such connection, as `isDatabaseUnavailable`. Every statement ends
 *  in bounded time, see `createPool`. Throws when the URL isn't one. */
export function createDatabase({ databaseUrl, maxConnections, log }: DatabaseOptions): Database {
  const { connectionString, schema } = connectionUrl(databaseUrl, {
    statement_timeout: statementTimeoutMs,
    // A process that hangs inside a transaction must not hold its row locks for ever.
    idle_in_transaction_session_timeout: 2 * transactionTimeoutMs,
  })
  const { pool, close } = createPool({ connectionString, maxConnections, log })
  const prisma = new PrismaClient({
    adapter: new PrismaPg(pool, schema ? { schema } : {}),
    errorFormat: 'minimal',
    transactionOptions: { isolationLevel: 'ReadCommitted', maxWait: connectTimeoutMs, timeout: transactionTimeoutMs },
  })
  async function askTimeZone() {
    const { rows } = await pool.query<{ zone: string }>(`select current_setting('TimeZone') as zone`)
    if (rows[0]?.zone !== 'UTC') throw new Error(`database sessions stand at ${rows[0]?.zone} instead of UTC`)
  }
  return {
    prisma,
    transaction: (work) => prisma.$transaction(work),
    ping: () => within(pingTimeoutMs, askTimeZone()),
    poolSize: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    async close() {
      await Promise.all([prisma.$disconnect(), close()])
    },
  }
}

async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error(`the database did not answer in ${timeoutMs} ms`), { code: 'ETIMEDOUT' })
    timer = setTimeout(() => reject(error), timeoutMs)
  })
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer))
}
