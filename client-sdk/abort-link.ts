/**
 * A signal that aborts when the first of `signals` does, with its reason, and a `release` that forgets them. Unlike AbortSignal.any it
 * leaves nothing hanging on a long-lived signal after thousands of parts.
 */
export function linkSignals(...signals: (AbortSignal | undefined)[]): {
  signal: AbortSignal
  abort: (reason: unknown) => void
  release: () => void
} {
  const controller = new AbortController()
  const listeners: (() => void)[] = []
  for (const signal of signals) {
    if (!signal) continue
    if (signal.aborted) {
      controller.abort(signal.reason)
      break
    }
    const onAbort = () => controller.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    listeners.push(() => signal.removeEventListener('abort', onAbort))
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => {
      for (const forget of listeners) forget()
    },
  }
}

/**
 * Runs tasks side by side under one signal. When one fails, or `signal` aborts, the others are aborted with the same reason, and
 * nothing is thrown before all of them have ended: what comes after finds nothing in flight.
 */
export async function runTogether(
  signal: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const link = linkSignals(signal)
  let failure: { error: unknown } | undefined
  const run = async (task: (signal: AbortSignal) => Promise<void>) => {
    try {
      await task(link.signal)
    } catch (error) {
      failure ??= { error }
      link.abort(error)
    }
  }
  try {
    await Promise.all(tasks.map(run))
  } finally {
    link.release()
  }
  if (failure) throw failure.error
}

/** Aborts `graceMs` after `signal` does, with its reason: for a request whose answer is needed to clean up after a cancel. */
export function withGrace(signal: AbortSignal, graceMs: number): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const onAbort = () => {
    timer = setTimeout(() => controller.abort(signal.reason), graceMs)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    release: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    },
  }
}
