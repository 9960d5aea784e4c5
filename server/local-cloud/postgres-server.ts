import { spawn } from 'node:child_process'
import { open, readFile, rename, stat } from 'node:fs/promises'
import type { PostgresBinaries } from './postgres-binaries.ts'
import type { PostgresCluster } from './postgres-cluster.ts'
import { spawnIdentity } from './postgres-user.ts'

/** One attempt to start a server. `logStart` is where its lines begin in the log, in bytes. */
export type PostgresRun = { logStart: number; exited: boolean; spawnError: Error | null }

const logRotationBytes = 10 * 1024 * 1024
const logTailLines = 15

/** Spawns the server as a session of its own, so that Ctrl-C in a terminal does not reach it before us. */
export async function startServer(
  { data, log: logPath, user }: PostgresCluster,
  { postgres, env }: PostgresBinaries,
  port: number,
  settings: Record<string, string>,
): Promise<PostgresRun> {
  const logSize = await stat(logPath).then(
    ({ size }) => size,
    () => 0,
  )
  if (logSize > logRotationBytes) await rename(logPath, `${logPath}.1`)
  const log = await open(logPath, 'a', 0o600)
  const run: PostgresRun = { logStart: logSize > logRotationBytes ? 0 : logSize, exited: false, spawnError: null }
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
export async function assertWorthRetrying(cluster: PostgresCluster, run: PostgresRun, wantedPort: number | undefined) {
  const tail = await readLogTail(cluster, run.logStart)
  const portTaken = /could not (bind|create any TCP)/.test(tail)
  if (portTaken && wantedPort !== undefined) {
    throw new Error(`Embedded Postgres can not listen on 127.0.0.1:${wantedPort}, another program does.\n${tail}`)
  }
  if (portTaken || /lock file "postmaster\.pid"|pre-existing shared memory block/.test(tail)) return
  const reason = run.spawnError?.message ?? 'it ended at once'
  throw new Error(`Embedded Postgres in ${cluster.folder} does not start: ${reason}\n${tail}`)
}

/** The end of the log from `start` on, ready to be shown. */
export async function readLogTail({ log }: PostgresCluster, start: number): Promise<string> {
  const bytes = await readFile(log).catch(() => Buffer.alloc(0))
  const lines = bytes.subarray(start).toString().trim().split('\n').slice(-logTailLines)
  return `Last lines of ${log}:\n${lines.map((line) => `  ${line}`).join('\n')}`
}
