import { createHash } from 'node:crypto'
import { realpath, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Makes this process the only one to write to a data directory, until `close`. A socket is the lock, because the system lets go
 *  of it when a process is killed, where a pid file would go stale. Throws when another process holds the directory. */
export async function ownDataDir(dataDir: string): Promise<{ close(): Promise<void> }> {
  const name = `partway-${createHash('sha256')
    .update(await realpath(dataDir))
    .digest('hex')
    .slice(0, 24)}`
  const path = socketPath(name)
  const server = (await tryListen(path)) ?? (await takeOver(path))
  if (server === null) throw new Error(`another local cloud is using the data directory ${dataDir}`)
  server.unref()
  return { close: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Linux and Windows have sockets without a file; elsewhere the file stays behind a killed process, and `takeOver` removes it. */
function socketPath(name: string): string {
  if (process.platform === 'linux') return `\0${name}`
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`)
}

async function takeOver(path: string): Promise<Server | null> {
  if (await isAnswering(path)) return null
  if (!path.startsWith('\0')) await rm(path, { force: true })
  return tryListen(path)
}

function tryListen(path: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('listening', () => resolve(server))
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    )
    server.listen(path)
  })
}

function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
    socket.once('connect', () => socket.end())
  })
}
