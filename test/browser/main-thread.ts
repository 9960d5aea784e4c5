import type { Browser, Page } from 'playwright-core'

export interface LongestTask {
  /** What the longest task took of a processor. This is what code costs; the rest is other processes of a busy machine. */
  processorMs: number
  /** What passed meanwhile on the wall. */
  elapsedMs: number
  /** So many tasks were there at all. */
  taskCount: number
}

interface TraceEvent {
  name: string
  pid: number
  tid: number
  /** Microseconds. */
  dur?: number
  tdur?: number
  args?: { name?: string }
}

/** Runs `work` and tells what kept a page's main thread longest meanwhile, by the browser's own record. */
export async function longestTaskDuring(browser: Browser, page: Page, work: () => Promise<void>): Promise<LongestTask> {
  await browser.startTracing(page, { categories: ['-*', 'disabled-by-default-devtools.timeline'] })
  let trace: Buffer
  try {
    await work()
  } finally {
    trace = await browser.stopTracing()
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] }
  const threadOf = (event: TraceEvent) => `${event.pid}/${event.tid}`
  const isMain = new Set(
    traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map((event) => threadOf(event)),
  )
  const tasks = traceEvents.filter((event) => event.name === 'RunTask' && isMain.has(threadOf(event)))
  const longest = (key: 'dur' | 'tdur') => tasks.reduce((most, task) => Math.max(most, (task[key] ?? 0) / 1000), 0)
  return { processorMs: longest('tdur'), elapsedMs: longest('dur'), taskCount: tasks.length }
}
