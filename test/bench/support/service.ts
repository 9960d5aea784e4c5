import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { compiled } from './compile.ts'
import { endWithParent } from './contender-process.ts'
import type { Usage } from './usage.ts'

/** A server under test, or one that tests need, in a process of its own. */
export interface Service {
  pid: number
  /** What it has used since its start; `peakRssBytes` since the last `resetPeak`. */
  usage(): Promise<Usage>
  resetPeak(): void
  /** Kills it with SIGKILL, at once. */
  kill(): Promise<void>
  stop(): Promise<void>
  /** The first message it sends beside those of the probe. */
  news(): Promise<Record<string, unknown>>
}

/** Runs a script of JavaScript, with the probe of usage-probe.ts and nothing of this process's environment but PATH and HOME. */
export function startService(script: string, args: readonly string[] = [], env: Record<string, string> = {}): Service {
  const probe = pathToFileURL(compiled(new URL('./usage-probe.ts', import.meta.url)))
  const { PATH = '', HOME = '' } = process.env
  const child = fork(script, [...args], {
    execArgv: ['--import', probe.href],
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  endWithParent(child)
  let stderr = ''
  child.stderr?.on('data', (chunk) => {
    stderr = `${stderr}${chunk}`.slice(-4000)
  })
  const answer = <Message>(isIt: (message: Record<string, unknown>) => boolean) =>
    new Promise<Message>((resolve, reject) => {
      const onMessage = (message: Record<string, unknown>) => {
        if (!isIt(message)) return
        child.off('message', onMessage)
        child.off('exit', onExit)
        resolve(message as Message)
      }
      const onExit = () => reject(new Error(`${script} ended: ${stderr.trim()}`))
      child.on('message', onMessage)
      child.on('exit', onExit)
    })
  return {
    pid: child.pid ?? 0,
    async usage() {
      const answered = answer<{ usage: Usage }>((message) => 'usage' in message)
      child.send('usage')
      return (await answered).usage
    },
    resetPeak: () => void child.send('reset peak'),
    kill: () => end(child, 'SIGKILL'),
    stop: () => end(child, 'SIGTERM'),
    news: () => answer((message) => !('usage' in message)),
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

/** What was used between two looks at one process. */
export async function cpuSecondsOf<T>(
  service: Pick<Service, 'usage'>,
  work: () => Promise<T>,
): Promise<{ cpuSeconds: number; result: T }> {
  const before = await service.usage()
  const result = await work()
  const after = await service.usage()
  return { cpuSeconds: after.cpuSeconds - before.cpuSeconds, result }
}
