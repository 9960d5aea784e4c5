import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { createApp } from '../../../server/app.ts'
import { loadConfig } from '../../../server/config.ts'
import { closeDeps, createDeps } from '../../../server/create-deps.ts'
import { migrate } from '../../../server/db/migrate.ts'
import type { Deps } from '../../../server/deps.ts'
import { mintDevToken } from '../../../server/dev-token.ts'
import { listen } from '../../../server/http/http-server.ts'
import { createLogger } from '../../../server/log.ts'
import { seed } from './seed.ts'

const JWT_SECRET = 'the-secret-of-benchmarks-32-bytes-long'

/** A whole server over HTTP on a database of its own. */
export interface BenchServer {
  openUploads: number
  deps: Deps
  sql: pg.Client
  /** Milliseconds until the whole reply was read, and what it says. Throws unless it is 200. */
  get(path: string): Promise<{ ms: number; body: unknown }>
  close(): Promise<void>
}

/** Makes a database of `openUploads` on the Postgres at `postgresUrl`, unless it is there, and serves it. */
export async function startBenchServer(
  postgresUrl: string,
  dataDir: string,
  openUploads: number,
): Promise<BenchServer> {
  await mkdir(dataDir, { recursive: true })
  const log = createLogger({ level: 'error' })
  const databaseUrl = await createDatabase(postgresUrl, openUploads)
  const config = loadConfig({
    PARTWAY_DATA_DIR: join(dataDir, `server-${openUploads}`),
    DATABASE_URL: databaseUrl,
    JWT_SECRET,
    PRICE_PER_GB_MONTH: '0.12',
    WEB_PAGES: 'false',
  })
  const deps = createDeps(config, { log })
  const server = await listen(createApp(deps), '127.0.0.1', 0)
  const sql = new pg.Client({ connectionString: databaseUrl, options: '-c TimeZone=UTC' })
  await sql.connect()
  const token = mintDevToken(
    { secret: JWT_SECRET },
    { subject: 'bench', tenant: '*', scopes: ['admin'], ttlSeconds: 86_400 },
  )
  const headers = { authorization: `Bearer ${token}` }
  return {
    openUploads,
    deps,
    sql,
    async get(path) {
      const startedAt = performance.now()
      const reply = await fetch(`http://127.0.0.1:${server.port}${path}`, { headers })
      const text = await reply.text()
      const ms = performance.now() - startedAt
      if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${text}`)
      return { ms, body: JSON.parse(text) }
    },
    async close() {
      await server.close(0)
      await closeDeps(deps)
      await sql.end()
    },
  }
}

async function createDatabase(postgresUrl: string, openUploads: number): Promise<string> {
  const url = new URL(postgresUrl)
  const name = `bench_${openUploads}`
  url.pathname = `/${name}`
  const admin = new pg.Client({ connectionString: postgresUrl })
  await admin.connect()
  try {
    const { rowCount } = await admin.query('SELECT FROM pg_database WHERE datname = $1', [name])
    if (rowCount === 1) return url.href
    await admin.query(`CREATE DATABASE ${name}_new`)
    const unfinished = new URL(url)
    unfinished.pathname = `/${name}_new`
    const startedAt = performance.now()
    await migrate({ databaseUrl: unfinished.href, log: createLogger({ level: 'error' }) })
    await seed(unfinished.href, { openUploads })
    console.log(`Seeded ${openUploads} open uploads in ${((performance.now() - startedAt) / 1000).toFixed(0)} s.`)
    await admin.query(`ALTER DATABASE ${name}_new RENAME TO ${name}`)
    return url.href
  } finally {
    await admin.end()
  }
}
