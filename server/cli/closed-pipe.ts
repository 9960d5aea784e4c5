import { exitCode } from './exit-code.ts'

/** For a stream's `error`. `partway stale | head`: whoever has read enough is no failure. */
export function endOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCode.ok)
  throw error
}
