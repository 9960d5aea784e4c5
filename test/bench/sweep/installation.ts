import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { pino } from 'pino'
import { migrate } from '../../../server/db/migrate.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../server/local-cloud/embedded-postgres.ts'
import { LOCAL_BUCKET, localServerUser } from '../../../server/local-identities.ts'
import { type Child, partwayCommand, startChild, waitUntilAnswering } from '../../support/child.ts'
import { freePorts } from '../../support/free-ports.ts'
import { recommendedNodeOptions } from '../support/node-options.ts'

/** Postgres, a local cloud and server processes of the build, as an operator would run them. */
export interface Installation {
  db: pg.Pool
  /** Where the local cloud will find its files. */
  cloudDir: string
  startCloud(): Promise<void>
  /** Starts `count` servers and returns their process ids. */
  startServers(count: number): Promise<number[]>
  /** Answers of the local cloud by operation and status. */
  ossAnswers(): Promise<Record<string, number>>
  forgetAnswers(): Promise<void>
  close(): Promise<void>
}

/** `migratedUrl`: a database that is there already; by default one of a Postgres of its own. */
export async function createInstallation(migratedUrl?: string): Promise<Installation> {
  const directory = await mkdtemp(join(tmpdir(), 'partway-bench-'))
  const postgres = migratedUrl ? null : await startPostgres(join(directory, 'postgres'))
  const databaseUrl = migratedUrl ?? postgres?.databaseUrl ?? ''
  const db = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  const [ossPort = 0, stsPort = 0, controlPort = 0] = await freePorts(3)
  const ossUrl = `http://127.0.0.1:${ossPort}`
  const controlUrl = `http://127.0.0.1:${controlPort}`
  const children: Child[] = []

  async function start(args: readonly string[], env: Record<string, string>, healthUrl: string): Promise<number> {
    const child = startChild([partwayCommand, ...args], env)
    children.push(child)
    await waitUntilAnswering(healthUrl, child)
    return child.process.pid ?? 0
  }

  return {
    db,
    cloudDir: join(directory, 'cloud'),
    async startCloud() {
      const env = { PARTWAY_DATA_DIR: directory, LOCAL_OSS_PORT: `${ossPort}`, LOCAL_STS_PORT: `${stsPort}` }
      await start(['local-cloud', '--control-port', `${controlPort}`], env, `${controlUrl}/requests`)
    },
    async startServers(count) {
      const ports = await freePorts(count)
      const environment = {
        HOST: '127.0.0.1',
        DATABASE_URL: databaseUrl,
        JWT_SECRET: 'the-secret-of-the-benchmark-32-bytes',
        OSS_BUCKET: LOCAL_BUCKET,
        OSS_ENDPOINT: ossUrl,
        ALIBABA_CLOUD_ACCESS_KEY_ID: localServerUser.accessKeyId,
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: localServerUser.accessKeySecret,
        SWEEP_INTERVAL_SECONDS: '1',
        LOG_LEVEL: 'warn',
        NODE_OPTIONS: recommendedNodeOptions,
      }
      return Promise.all(
        ports.map((port) => start(['serve'], { ...environment, PORT: `${port}` }, `http://127.0.0.1:${port}/healthz`)),
      )
    },
    ossAnswers: async () => (await fetch(`${controlUrl}/answers`)).json() as Promise<Record<string, number>>,
    forgetAnswers: async () => void (await fetch(`${controlUrl}/requests`, { method: 'DELETE' })),
    async close() {
      await Promise.all(children.map((child) => child.kill()))
      await db.end()
      await postgres?.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function startPostgres(dataDir: string): Promise<EmbeddedPostgres> {
  const log = pino({ level: 'silent' })
  const postgres = await startEmbeddedPostgres({ dataDir, log })
  await migrate({ databaseUrl: postgres.databaseUrl, log })
  return postgres
}
