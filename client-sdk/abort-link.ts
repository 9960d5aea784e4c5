const listeners = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls `run` when `signal` aborts; the result forgets it. However many wait, the signal has one listener: Node warns of a leak at the
 * eleventh, and with 32 parts in flight that many wait for the same signal.
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const waiting = listeners.get(signal) ?? new Set()
  if (!listeners.has(signal)) {
    listeners.set(signal, waiting)
    signal.addEventListener('abort', () => waiting.forEach((tell) => void tell()), { once: true })
  }
  const entry = () => run()
  waiting.add(entry)
  return () => void waiting.delete(entry)
}

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
  const forgets: (() => void)[] = []
  for (const signal of signals) {
    if (!signal) continue
    if (signal.aborted) {
      controller.abort(signal.reason)
      break
    }
    forgets.push(onAbort(signal, () => controller.abort(signal.reason)))
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => {
      for (const forget of forgets) forget()
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
  const begin = () => {
    timer = setTimeout(() => controller.abort(signal.reason), graceMs)
  }
  if (signal.aborted) begin()
  const forget = onAbort(signal, begin)
  return {
    signal: controller.signal,
    release: () => {
      clearTimeout(timer)
      forget()
    },
  }
}
