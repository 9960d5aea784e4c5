import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type PostgresBinaries, preparePostgresBinaries } from './postgres-binaries.ts'
import { claimPostgres, embeddedDatabaseUrl, type PostgresClaim } from './postgres-claim.ts'
import { createCluster, locateCluster, type PostgresCluster } from './postgres-cluster.ts'
import { assertWorthRetrying, type PostgresRun, readLogTail, startServer } from './postgres-server.ts'
import { clearStalePidFile, findPostmaster, stopPostmaster } from './postmaster.ts'

export type EmbeddedPostgresOptions = {
  /** Folder of this Postgres alone; made if missing. */
  dataDir: string
  /** Port on 127.0.0.1. Default: the one of last time, if still free, else any free one. */
  port?: number | undefined
  /** Server settings, e.g. `{ fsync: 'off' }` for tests. Default: none, and fsync is on. */
  settings?: Record<string, string> | undefined
  log: Pick<Logger, 'info' | 'warn'>
}

export type EmbeddedPostgres = {
  databaseUrl: string
  /** Stops the server and resolves when it is gone, within 10 s, unless another process still uses it. */
  stop(): Promise<void>
}

const startTimeoutMs = 60_000
const pollMs = 20

/** Starts a Postgres from npm on the data directory, or takes over the one that already runs there: a server outlives
 *  the process that started it when that one is killed. Processes that start at the same moment share one server.
 *  It listens on 127.0.0.1 only, with a password generated into the data directory. Works as root too, then under an
 *  unprivileged user. Throws one error saying what is wrong, with the end of Postgres's log. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log, settings = {} } = options
  const cluster = await locateCluster(options.dataDir)
  const binaries = await preparePostgresBinaries(cluster.runtimeDir, cluster.user)
  await createCluster(cluster, binaries, settings.fsync !== 'off')
  const password = (await readFile(join(cluster.folder, 'password'), 'utf8')).trim()
  const { claim, port } = await claimOrStart(cluster, binaries, password, options)
  return {
    databaseUrl: embeddedDatabaseUrl(port, password),
    async stop() {
      if (await claim.release()) await stopPostmaster(cluster.data)
      else log.info({ dataDir: options.dataDir }, 'embedded Postgres goes on: another process uses it')
    },
  }
}

async function claimOrStart(
  cluster: PostgresCluster,
  binaries: PostgresBinaries,
  password: string,
  { dataDir, port: wantedPort, settings = {}, log }: EmbeddedPostgresOptions,
): Promise<{ claim: PostgresClaim; port: number }> {
  const deadline = performance.now() + startTimeoutMs
  let run: PostgresRun | null = null
  while (performance.now() < deadline) {
    const postmaster = await findPostmaster(cluster.data)
    if (postmaster?.ready) {
      const { pid, port } = postmaster
      const claim = await claimPostgres(port, password)
      if (claim) {
        await writeFile(join(cluster.folder, 'port'), String(port))
        log.info(
          { dataDir, port, pid },
          run ? 'embedded Postgres started' : 'using the embedded Postgres that already runs',
        )
        return { claim, port }
      }
    }
    if (postmaster === null && (run === null || run.exited)) {
      if (run) await assertWorthRetrying(cluster, run, wantedPort)
      await clearStalePidFile(cluster.data)
      run = await startServer(cluster, binaries, wantedPort ?? (await choosePort(cluster)), settings)
    }
    await sleep(pollMs)
  }
  const tail = await readLogTail(cluster, run?.logStart ?? 0)
  throw new Error(`Embedded Postgres in ${cluster.folder} is not ready after ${startTimeoutMs / 1000} s.\n${tail}`)
}

/** The port of last time if nobody else has taken it, so that addresses people noted stay valid; else a free one. */
async function choosePort({ folder }: PostgresCluster): Promise<number> {
  const remembered = Number(await readFile(join(folder, 'port'), 'utf8').catch(() => '0'))
  return findFreePort(remembered).catch(() => findFreePort(0))
}

function findFreePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
