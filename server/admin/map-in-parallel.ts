import { setTimeout as delay } from 'node:timers/promises'

/** `work` done on each item, on at most `workers` at once; results in the order of the items. Throws what the first failure throws, and
 *  begins nothing more then. */
export async function mapInParallel<Item, Result>(
  items: readonly Item[],
  workers: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  // One iterator for all workers: each takes the next item that nobody has.
  const left = items.entries()
  let hasFailed = false
  const worker = async () => {
    for (const [index, item] of left) {
      if (hasFailed) return
      try {
        results[index] = await work(item, index)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(workers, items.length) }, worker))
  return results
}

/** When a request answers, on the clock of `performance.now()`, and what it waits for in any case. */
export interface TimeLimit<Result> {
  endsAtMs: number
  /** So many of the first items are waited for, however long they take. */
  atLeast?: number
  /** Told of each result that comes in time. */
  onResult?: (result: Result) => void
}

/** The same, but what is not done in time is undefined: nothing more is begun then, and what is under way goes on without being waited for. */
export async function mapInTime<Item, Result>(
  items: readonly Item[],
  workers: number,
  { endsAtMs, atLeast = 0, onResult }: TimeLimit<Result>,
  work: (item: Item) => Promise<Result>,
): Promise<(Result | undefined)[]> {
  const results: (Result | undefined)[] = items.map(() => undefined)
  let isAnswered = false
  let firstLeft = Math.min(atLeast, items.length)
  let tellFirstDone = () => {}
  const firstDone = new Promise<void>((resolve) => {
    tellFirstDone = resolve
  })
  if (firstLeft === 0) tellFirstDone()
  const done = mapInParallel(items, workers, async (item, index) => {
    if (isAnswered || (index >= atLeast && performance.now() >= endsAtMs)) return
    const result = await work(item)
    if (isAnswered) return
    results[index] = result
    onResult?.(result)
    if (index < atLeast && --firstLeft === 0) tellFirstDone()
  })
  // Nobody may be there any more to hear of a late failure.
  done.catch(() => {})
  const waited = new AbortController()
  const leftMs = Math.max(0, endsAtMs - performance.now())
  const tooLong = delay(leftMs, undefined, { signal: waited.signal }).catch(() => {})
  await Promise.race([done, Promise.all([tooLong, firstDone])]).finally(() => {
    isAnswered = true
    waited.abort()
  })
  return results
}
