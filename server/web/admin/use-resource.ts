import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { asReplyProblem, type ReplyProblem } from './reply-problem.ts'

/** How often what the page shows is read by itself. */
export const REFRESH_MS = 30_000

/**
 * Something that is read from the server, now and then again. What was read stays while it is read anew, or cannot be; what was read for
 * another question only until that one is answered, or is not.
 */
export interface Resource<Value> {
  value: Value | undefined
  /** `value` answers the question before: the answer to the present one is on its way. */
  isOfBefore: boolean
  /** Why the last reading failed. */
  problem: ReplyProblem | undefined
  /** When `value` was read, by this machine's clock. */
  readAt: number | undefined
  isLoading: boolean
  reload(): void
}

interface State<Value> {
  /** What was read last, and for which key. */
  read: { key: string; value: Value; at: number } | undefined
  problem: ReplyProblem | undefined
  isLoading: boolean
}

interface ResourceOptions {
  /** How often it is read by itself, in ms, while the page is seen and no dialog is open. By default never. */
  everyMs?: number | undefined
  /** Read anew, with the same question, whenever this is another number. */
  revision?: number
  /** Also while a dialog is open. */
  duringDialogs?: boolean
}

/** A page that was left open looks again so often whether it is time. */
const TICK_MS = 500

/**
 * Reads with `load` at once, whenever `key` (which names the question) changes, when asked to, and by itself. A reading that another
 * supersedes is aborted. A server that asks to be left alone for some seconds is asked again after them.
 */
export function useResource<Value>(
  load: (signal: AbortSignal) => Promise<Value>,
  key: string,
  { everyMs, revision = 0, duringDialogs = false }: ResourceOptions = {},
): Resource<Value> {
  const [{ read, problem, isLoading }, setState] = useState<State<Value>>({
    read: undefined,
    problem: undefined,
    isLoading: true,
  })
  const latest = useRef({ load, key })
  latest.current = { load, key }
  const reading = useRef<AbortController | undefined>(undefined)
  const isReading = useRef(false)
  const settledAt = useRef(0)
  const notBefore = useRef<number | undefined>(undefined)

  const reload = useCallback(async () => {
    reading.current?.abort()
    const own = new AbortController()
    const asked = latest.current
    reading.current = own
    isReading.current = true
    setState((before) => ({ ...before, isLoading: true }))
    try {
      const value = await asked.load(own.signal)
      if (own.signal.aborted) return
      notBefore.current = undefined
      setState({ read: { key: asked.key, value, at: Date.now() }, problem: undefined, isLoading: false })
    } catch (error) {
      if (own.signal.aborted) return
      const problem = asReplyProblem(error)
      notBefore.current = problem.retryAfterMs === null ? undefined : Date.now() + problem.retryAfterMs
      setState(({ read }) => ({ read: read?.key === asked.key ? read : undefined, problem, isLoading: false }))
    }
    isReading.current = false
    settledAt.current = Date.now()
  }, [])

  useEffect(() => {
    void reload()
    return () => reading.current?.abort()
  }, [key, revision, reload])

  useEffect(() => {
    const timer = setInterval(() => {
      if (isReading.current || document.visibilityState === 'hidden') return
      if (!duringDialogs && document.querySelector('dialog[open]')) return
      const due = notBefore.current ?? (everyMs === undefined ? Number.POSITIVE_INFINITY : settledAt.current + everyMs)
      if (Date.now() >= due) void reload()
    }, TICK_MS)
    return () => clearInterval(timer)
  }, [everyMs, duringDialogs, reload])

  const isOfBefore = read !== undefined && read.key !== key
  return { value: read?.value, isOfBefore, problem, readAt: read?.at, isLoading, reload: () => void reload() }
}
