import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const checkout = fileURLToPath(new URL('../..', import.meta.url))

/** A running `postgres-owner.ts`. */
export type OwnerProcess = { child: ChildProcess; databaseUrl: string; stop(): Promise<void>; kill(): Promise<void> }

/** Starts an embedded Postgres in a process of its own and waits until it answers; rejects with its error.
 *  @param from the checkout whose sources it runs */
export async function startOwner(
  dataDir: string,
  { from = checkout, port, ...options }: SpawnOptions & { from?: string; port?: number } = {},
): Promise<OwnerProcess> {
  const [hooks, script] = ['typescript-hooks.mjs', 'postgres-owner.ts'].map((name) => join(from, 'test/support', name))
  const args = ['--import', `${hooks}`, `${script}`, dataDir, ...(port ? [String(port)] : [])]
  const env = { ...process.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, args, { cwd: '/', env, stdio: ['pipe', 'pipe', 'inherit'], ...options })
  if (!child.stdout) throw new Error('the owner has no stdout')
  const lines = createInterface({ input: child.stdout })
  const { databaseUrl } = await readLine(lines, child)
  if (databaseUrl === undefined) throw new Error('the owner printed no URL')
  return {
    child,
    databaseUrl,
    async stop() {
      child.stdin?.write('stop\n')
      await readLine(lines, child)
      if (child.exitCode === null) await once(child, 'exit')
    },
    async kill() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function readLine(lines: Interface, child: ChildProcess): Promise<{ databaseUrl?: string }> {
  const line = await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => ['{"error":"it exited"}'])])
  const answer: { databaseUrl?: string; error?: string } = JSON.parse(String(line[0]))
  if (answer.error !== undefined) throw new Error(answer.error)
  return answer
}
