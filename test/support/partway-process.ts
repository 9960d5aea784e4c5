import { type ChildProcess, spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { protectVariables } from './secret-watch.ts'
import { watchOutput } from './watched-output.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface PartwayProcess {
  child: ChildProcess
  /** Everything printed so far. */
  stdout(): string
  stderr(): string
  /** Resolves with the exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>
}

/** Runs `partway <args>` from the sources, so that no stale build is tested. Inherits nothing but PATH from the environment.
 *  `withChannel` connects it to this process by IPC, as a child of the server is. */
export function runPartway(
  args: readonly string[],
  env: Record<string, string>,
  nodeArgs: readonly string[] = [],
  withChannel = false,
): PartwayProcess {
  const child = spawn(
    process.execPath,
    [
      '-C',
      'partway-source',
      '--import',
      './test/support/typescript-hooks.mjs',
      ...nodeArgs,
      'server/cli/main.ts',
      ...args,
    ],
    {
      cwd: root,
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe', ...(withChannel ? (['ipc'] as const) : [])],
    },
  )
  protectVariables(env)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    // 'close' also waits for what was printed, but never comes when this side has disconnected the channel.
    child.once(withChannel ? 'exit' : 'close', (code, signal) => {
      watchOutput(args, `${stdout}${stderr}`)
      resolve(code ?? signal ?? 1)
    })
  })
  return { child, stdout: () => stdout, stderr: () => stderr, ended }
}

/** Ports nobody listens on at this moment; all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** Whether something listens on the port. */
export async function isTaken(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(true))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)))
  })
}
