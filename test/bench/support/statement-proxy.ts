import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between a server and its Postgres and counts what is asked, on the wire: no extension of Postgres, nothing in the server. */
export interface StatementProxy {
  databaseUrl: string
  /** Statements since the last time, but for BEGIN, COMMIT and ROLLBACK, which are counted apart. */
  take(): { statements: number; transactionWords: number; texts: string[] }
  stop(): Promise<void>
}

/** Frontend messages of Postgres's protocol 3: `Q` is a simple query, `P` names the text of a prepared one, `E` runs it. */
export async function startStatementProxy(databaseUrl: string): Promise<StatementProxy> {
  const upstream = new URL(databaseUrl)
  let texts: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const database = connect(Number(upstream.port), upstream.hostname)
    for (const socket of [client, database]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    client.on('close', () => database.destroy())
    database.on('close', () => client.destroy())
    const readMessages = messageReader((text) => texts.push(text))
    client.on('data', readMessages)
    client.pipe(database)
    database.pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(databaseUrl)
  url.port = String((server.address() as AddressInfo).port)
  return {
    databaseUrl: url.href,
    take() {
      const all = texts
      texts = []
      const statements = all.filter((text) => !/^\s*(begin|commit|rollback)/i.test(text))
      return { statements: statements.length, transactionWords: all.length - statements.length, texts: statements }
    },
    async stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function messageReader(onStatement: (text: string) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let isStarted = false
  /** Texts by the name of the prepared statement. */
  const prepared = new Map<string, string>()
  let bound = ''
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      // The first message has no type.
      const lengthAt = isStarted ? 1 : 0
      if (rest.length < lengthAt + 4) return
      const end = lengthAt + rest.readUInt32BE(lengthAt)
      if (rest.length < end) return
      if (isStarted) {
        const strings = rest.toString('utf8', 5, end).split('\0')
        const [first = '', second = ''] = strings
        const type = String.fromCharCode(rest.readUInt8(0))
        if (type === 'Q') onStatement(first)
        if (type === 'P') prepared.set(first, second)
        if (type === 'B') bound = second
        if (type === 'E') onStatement(prepared.get(bound) ?? '')
      }
      isStarted = true
      rest = rest.subarray(end)
    }
  }
}
