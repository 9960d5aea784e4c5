import { spawn } from 'node:child_process'
import { open, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type PostgresBinaries, preparePostgresBinaries } from './postgres-binaries.ts'
import { claimPostgres, embeddedDatabaseUrl, type PostgresClaim } from './postgres-claim.ts'
import { createCluster, locateCluster, type PostgresCluster } from './postgres-cluster.ts'
import { spawnIdentity } from './postgres-user.ts'
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

type Run = { logStart: number; exited: boolean; spawnError: Error | null }

const startTimeoutMs = 60_000
const pollMs = 20
const logRotationBytes = 10 * 1024 * 1024
const logTailLines = 15

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
  let run: Run | null = null
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

/** Spawns the server as a session of its own, so that Ctrl-C in a terminal does not reach it before us. */
async function startServer(
  { data, log: logPath, user }: PostgresCluster,
  { postgres, env }: PostgresBinaries,
  port: number,
  settings: Record<string, string>,
): Promise<Run> {
  const logSize = await stat(logPath).then(
    ({ size }) => size,
    () => 0,
  )
  if (logSize > logRotationBytes) await rename(logPath, `${logPath}.1`)
  const log = await open(logPath, 'a', 0o600)
  const run: Run = { logStart: logSize > logRotationBytes ? 0 : logSize, exited: false, spawnError: null }
  try {
    const fixed = { listen_addresses: '127.0.0.1', unix_socket_directories: '', timezone: 'UTC', log_timezone: 'UTC' }
    const flags = Object.entries({ ...fixed, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(postgres, ['-D', data, '-p', String(port), ...flags], {
      ...spawnIdentity(user),
      cwd: '/',
      env,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    })
    child.on('exit', () => {
      run.exited = true
    })
    child.on('error', (error) => {
      run.exited = true
      run.spawnError = error
    })
    child.unref()
  } finally {
    await log.close()
  }
  return run
}

/** Judges a server that ended before it was ready. Losing a race for the data directory, leftover processes of a
 *  killed server, and a port taken in the last moment pass by themselves; everything else is thrown. */
async function assertWorthRetrying(cluster: PostgresCluster, run: Run, wantedPort: number | undefined) {
  const tail = await readLogTail(cluster, run.logStart)
  const portTaken = /could not (bind|create any TCP)/.test(tail)
  if (portTaken && wantedPort !== undefined) {
    throw new Error(`Embedded Postgres can not listen on 127.0.0.1:${wantedPort}, another program does.\n${tail}`)
  }
  if (portTaken || /lock file "postmaster\.pid"|pre-existing shared memory block/.test(tail)) return
  const reason = run.spawnError?.message ?? 'it ended at once'
  throw new Error(`Embedded Postgres in ${cluster.folder} does not start: ${reason}\n${tail}`)
}

async function readLogTail({ log }: PostgresCluster, start: number): Promise<string> {
  const bytes = await readFile(log).catch(() => Buffer.alloc(0))
  const lines = bytes.subarray(start).toString().trim().split('\n').slice(-logTailLines)
  return `Last lines of ${log}:\n${lines.map((line) => `  ${line}`).join('\n')}`
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
