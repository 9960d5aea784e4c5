import { CommandFailure, exitCode } from './exit-code.ts'
import { pauseOnSignal } from './upload-signals.ts'

/** Runs `work` with a signal that the first Ctrl-C (SIGTERM, SIGHUP) aborts; a second one ends the process at once. `isWaiting`: the
 *  request under way is waited for, and whoever pressed Ctrl-C is told so. */
export async function interruptibly<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  isWaiting = false,
): Promise<Result> {
  const controller = new AbortController()
  const release = pauseOnSignal(async () => {
    controller.abort()
    const lead = process.stderr.isTTY ? '\n' : ''
    if (isWaiting) process.stderr.write(`${lead}Ending after the request under way; Ctrl-C again ends at once.\n`)
  })
  try {
    return await work(controller.signal)
  } finally {
    release()
  }
}

/** For the moment between two requests that must not be cut. Throws CommandFailure `paused` once somebody has asked to stop. */
export function throwIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw new CommandFailure(exitCode.paused, 'Interrupted.')
}
