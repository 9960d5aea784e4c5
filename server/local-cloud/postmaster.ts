import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** A living server process, as its postmaster.pid describes it. `ready` is false while it starts or shuts down. */
export type Postmaster = { pid: number; port: number; ready: boolean }

const pollMs = 20
const fastShutdownMs = 8_000
const immediateShutdownMs = 1_500

/** The living server of the data directory `data` (a real path), or null.
 *  Lines of postmaster.pid: Postgres source, src/include/utils/pidfile.h. */
export async function findPostmaster(data: string): Promise<Postmaster | null> {
  const lines = (await readPidFile(data)).split('\n')
  const pid = Number(lines[0])
  if (!(Number.isInteger(pid) && pid > 1 && (await isPostmasterOf(pid, data)))) return null
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
}

/** Removes a postmaster.pid whose process is gone. Postgres does so itself when the pid is unused, but takes any
 *  process of the same user for a postmaster: after the restart of a container that is quite often ourselves. */
export async function clearStalePidFile(data: string) {
  const path = join(data, 'postmaster.pid')
  const stale = await readPidFile(data)
  const changedMs = await stat(path).then(
    (found) => found.mtimeMs,
    () => Number.NaN,
  )
  // An empty one is a server that starts right now, unless it is old: then the machine died at that moment.
  const isStale = stale === '' ? Date.now() - changedMs > 10_000 : !(await findPostmaster(data))
  if (!isStale) return
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await rename(path, aside)
  } catch {
    return // another process was faster
  }
  // Did another process put a new server's file there after we looked? Then it goes back.
  if ((await readFile(aside, 'utf8')).split('\n')[0] !== stale.split('\n')[0]) await rename(aside, path)
  else await rm(aside)
}

/** Stops the server of a data directory: running statements are cut, everything committed is kept. After 8 s it is
 *  stopped at once, which costs a recovery at the next start. Resolves when the process is gone, at most 10 s later;
 *  throws if it won't go. */
export async function stopPostmaster(data: string) {
  const found = await findPostmaster(data)
  if (!found) return
  for (const [signal, timeoutMs] of [
    ['SIGINT', fastShutdownMs],
    ['SIGQUIT', immediateShutdownMs],
  ] as const) {
    sendSignal(found.pid, signal)
    const deadline = performance.now() + timeoutMs
    while (performance.now() < deadline) {
      if (!(await isPostmasterOf(found.pid, data))) return
      await sleep(pollMs)
    }
  }
  throw new Error(`Postgres (process ${found.pid}, data in ${data}) does not stop`)
}

async function readPidFile(data: string): Promise<string> {
  return readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
}

/** Recognises the process by its command line, which everybody may read. A bare "does the pid exist" would be fooled
 *  by reused pids, and by dead servers that nobody has reaped (a zombie has an empty command line). */
async function isPostmasterOf(pid: number, data: string): Promise<boolean> {
  if (process.platform === 'linux') {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return commandLine.split('\0').includes(data)
  }
  if (process.platform === 'win32') return sendSignal(pid, 0)
  const listed = promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)])
  return listed.then(
    ({ stdout }) => stdout.includes(data),
    () => false,
  )
}

function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
