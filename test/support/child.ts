import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { protectVariables } from './secret-watch.ts'
import { watchOutput } from './watched-output.ts'

const checkout = fileURLToPath(new URL('../..', import.meta.url))

/** The built command, as `npx partway` runs it. */
export const partwayCommand = `${checkout}dist/server/cli/main.js`

/** A process of the product under test. It can be killed at any moment, and never outlives the test run. */
export interface Child {
  readonly process: ChildProcess
  stdout(): string
  stderr(): string
  /** How it ended. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  isRunning(): boolean
  kill(signal?: NodeJS.Signals): Promise<void>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs `node ARGS` with `env` on top of a bare environment: nothing of the test run's own configuration gets in. */
export function startChild(args: readonly string[], env: Record<string, string>): Child {
  const { PATH = '', HOME = '', TMPDIR } = process.env
  const child = spawn(process.execPath, args, {
    env: { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  protectVariables(env)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child)
      watchOutput(args, `${stdout}${stderr}`)
      resolve({ code, signal })
    })
  })
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async kill(signal = 'SIGKILL') {
      child.kill(signal)
      await ended
    },
  }
}

/** Resolves when `url` answers 200. Throws when `child` ends first. */
export async function waitUntilAnswering(url: string, child: Child): Promise<void> {
  for (;;) {
    if (!child.isRunning()) throw new Error(`the process ended:\n${child.stdout()}\n${child.stderr()}`)
    const reply = await fetch(url, { signal: AbortSignal.timeout(1000) }).catch(() => null)
    if (reply?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
