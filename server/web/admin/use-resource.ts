import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { asReplyProblem, type ReplyProblem } from './reply-problem.ts'

/** Something that is read from the server, now and then again. What was read stays while it is read anew, or cannot be. */
export interface Resource<Value> {
  value: Value | undefined
  /** Why the last reading failed. */
  problem: ReplyProblem | undefined
  /** When `value` was read, by this machine's clock. */
  readAt: number | undefined
  isLoading: boolean
  reload(): void
}

interface ResourceOptions {
  /** How often it is read by itself, in ms, while the page is seen and no dialog is open. By default never. */
  everyMs?: number | undefined
  /** Also while a dialog is open. */
  duringDialogs?: boolean
}

/** A page that was left open looks again so often whether it is time. */
const TICK_MS = 500

/**
 * Reads with `load` at once, whenever `key` changes, when asked to, and by itself. A reading that another supersedes is aborted. A server that
 * asks to be left alone for some seconds is asked again after them.
 */
export function useResource<Value>(
  load: (signal: AbortSignal) => Promise<Value>,
  key: string,
  { everyMs, duringDialogs = false }: ResourceOptions = {},
): Resource<Value> {
  const [state, setState] = useState<Omit<Resource<Value>, 'reload'>>({
    value: undefined,
    problem: undefined,
    readAt: undefined,
    isLoading: true,
  })
  const latestLoad = useRef(load)
  latestLoad.current = load
  const reading = useRef<AbortController | undefined>(undefined)
  const isReading = useRef(false)
  const settledAt = useRef(0)
  const notBefore = useRef<number | undefined>(undefined)

  const reload = useCallback(async () => {
    reading.current?.abort()
    const own = new AbortController()
    reading.current = own
    isReading.current = true
    setState((before) => ({ ...before, isLoading: true }))
    try {
      const value = await latestLoad.current(own.signal)
      if (own.signal.aborted) return
      notBefore.current = undefined
      setState({ value, problem: undefined, readAt: Date.now(), isLoading: false })
    } catch (error) {
      if (own.signal.aborted) return
      const problem = asReplyProblem(error)
      notBefore.current = problem.retryAfterMs === null ? undefined : Date.now() + problem.retryAfterMs
      setState((before) => ({ ...before, problem, isLoading: false }))
    }
    isReading.current = false
    settledAt.current = Date.now()
  }, [])

  useEffect(() => {
    void reload()
    return () => reading.current?.abort()
  }, [key, reload])

  useEffect(() => {
    const timer = setInterval(() => {
      if (isReading.current || document.visibilityState === 'hidden') return
      if (!duringDialogs && document.querySelector('dialog[open]')) return
      const due = notBefore.current ?? (everyMs === undefined ? Number.POSITIVE_INFINITY : settledAt.current + everyMs)
      if (Date.now() >= due) void reload()
    }, TICK_MS)
    return () => clearInterval(timer)
  }, [everyMs, duringDialogs, reload])

  return { ...state, reload: () => void reload() }
}
