// Each list is what the named layer was seen to throw while a server was killed, stopped, filled or restarted under it.

const socketCodes =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN)$/

// Connection exceptions, insufficient resources, shut down or starting, statement timeout, session ended inside a
// transaction, and a standby that was just promoted or demoted. https://www.postgresql.org/docs/current/errcodes-appendix.html
const sqlStates = /^(08...|53...|57P0[1-5]|57014|25P03|25006)$/

// P1001 unreachable, P1002 and P1008 timeouts, P1017 closed, P2024 pool, P2037 too many connections.
const prismaCodes = /^(P1001|P1002|P1008|P1017|P2024|P2037)$/

// `kind` of adapter-pg's errors.
const adapterKinds = /^(DatabaseNotReachable|ConnectionClosed|SocketTimeout|TooManyConnections)$/

// pg and pg-pool throw these without a code, and adapter-pg passes them on as they are.
const pgMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Cannot use a pool after calling end|Client has encountered a connection error and is not queryable|Client was closed and is not queryable)/

// P2028 is also a mistake in the program; these two are waiting in vain for a connection or for a slow server.
const transactionMessages = /Unable to start a transaction in the given time|on an expired transaction/

/** Whether an error thrown by Prisma, adapter-pg or pg says that the database can not be reached or can not serve us
 *  now: the same request may well succeed later. False for everything that would fail again, wrong credentials and
 *  violated constraints included. */
export function isDatabaseUnavailable(error: unknown): boolean {
  for (let current = error, depth = 0; isRecord(current) && depth < 5; depth++) {
    const { code, errorCode, kind, originalCode, message, meta, cause } = current
    if (matches(code, socketCodes) || matches(code, sqlStates) || matches(originalCode, sqlStates)) return true
    if (matches(code, prismaCodes) || matches(errorCode, prismaCodes) || matches(kind, adapterKinds)) return true
    if (current instanceof Error && matches(message, pgMessages)) return true
    if (code === 'P2028') return matches(message, transactionMessages)
    current = isRecord(meta) && meta.driverAdapterError !== undefined ? meta.driverAdapterError : cause
  }
  return false
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
