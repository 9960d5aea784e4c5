import { type ChildProcess, spawn } from 'node:child_process'
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
