import { linkSignals } from './abort-link.ts'
import type { RunGate } from './run-gate.ts'

/** Runs `ask` with a signal that aborts at the next pause, too. */
export async function untilPaused<Result>(
  gate: Pick<RunGate, 'signal'>,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const link = linkSignals(signal, gate.signal)
  try {
    return await ask(link.signal)
  } finally {
    link.release()
  }
}
