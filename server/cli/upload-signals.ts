import { exitCode } from './exit-code.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The first signal calls `pause`; a second one ends the process at once. Returns what takes the handlers away again. */
export function pauseOnSignal(pause: () => Promise<void>): () => void {
  let isPausing = false
  const onSignal = () => {
    if (isPausing) process.exit(exitCode.paused)
    isPausing = true
    void pause().catch(() => {})
  }
  for (const signal of signals) process.on(signal, onSignal)
  return () => {
    for (const signal of signals) process.off(signal, onSignal)
  }
}
