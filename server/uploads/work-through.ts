/** How to work through more than fits into memory. */
export interface WorkThrough<Item> {
  /** Takes the next few; none: there are no more. Never called twice at once. */
  claim: () => Promise<readonly Item[]>
  work: (item: Item) => Promise<void>
  /** How many are worked on at once. */
  workers: number
  /** An item that has waited for a worker for longer than this is left to its lease: somebody else may have it by now. */
  longestWaitMs: number
  signal?: AbortSignal | undefined
}

/** Works on claimed items, some at once, until none is left or the signal fires. What is under way then is brought to its end. Throws what
 *  `claim` or `work` threw first, when no worker is at work any more. */
export async function workThrough<Item>(options: WorkThrough<Item>): Promise<void> {
  const { claim, work, workers, longestWaitMs, signal } = options
  const waiting: { item: Item; takenAt: number }[] = []
  let claiming: Promise<void> | null = null
  let isOver = false
  const fill = async () => {
    const items = await claim()
    if (items.length === 0) isOver = true
    const takenAt = performance.now()
    for (const item of items) waiting.push({ item, takenAt })
  }
  const workOn = async () => {
    for (;;) {
      if (isOver && waiting.length === 0) return
      if (signal?.aborted) return
      const next = waiting.shift()
      if (next) {
        if (performance.now() - next.takenAt <= longestWaitMs) await work(next.item)
        continue
      }
      claiming ??= fill().finally(() => {
        claiming = null
      })
      await claiming
    }
  }
  const all = Array.from({ length: workers }, async () => {
    try {
      await workOn()
    } catch (error) {
      isOver = true
      waiting.length = 0
      throw error
    }
  })
  for (const result of await Promise.allSettled(all)) if (result.status === 'rejected') throw result.reason
}
