import { type ChildProcess, fork } from 'node:child_process'
import { compiled } from './compile.ts'

/** What a contender's module exports as `prepare`: it imports and connects, and returns the work that is measured. */
export type Prepare<Input, Result> = (input: Input) => Promise<() => Promise<Result>>

/** A round of a contender in a process of its own, so that processor time and memory are its own. */
export interface Measured<Result> {
  result: Result
  usage: { cpuSeconds: number; wallSeconds: number; peakRssBytes: number }
}

export interface RunOptions {
  /** Default: ten minutes. */
  timeoutMs?: number
  nodeOptions?: readonly string[]
}

/**
 * Runs the work of `module` once in a new process. The measurement begins when `prepare` is done, but for memory, which is the process's
 * from its start. Rejects with what the contender threw, or when it takes too long.
 */
export function runContender<Input, Result>(
  module: URL,
  input: Input,
  { timeoutMs = 600_000, nodeOptions = [] }: RunOptions = {},
): Promise<Measured<Result>> {
  const child = fork(compiled(new URL('./contender-main.ts', import.meta.url)), [compiled(module)], {
    execArgv: [...nodeOptions],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  endWithParent(child)
  let stderr = ''
  child.stderr?.on('data', (chunk) => {
    stderr = `${stderr}${chunk}`.slice(-2000)
  })
  child.send(input as object)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`not done after ${timeoutMs / 1000} s`))
    }, timeoutMs)
    child.once('message', (message: Measured<Result> | { failure: string }) => {
      if ('failure' in message) reject(new Error(message.failure))
      else resolve(message)
    })
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      reject(new Error(`its process ended with ${code ?? signal}: ${stderr.trim().split('\n').at(-1)}`))
    })
  })
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** No child outlives the benchmark. */
export function endWithParent(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
}
