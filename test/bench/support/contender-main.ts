import type { Prepare } from './contender-process.ts'
import { ownUsage } from './usage.ts'

/* The process of one contender in one round: `node contender-main.js MODULE`, its input comes by IPC. */

process.once('message', async (input) => {
  try {
    const { prepare } = (await import(process.argv[2] ?? '')) as { prepare: Prepare<unknown, unknown> }
    const run = await prepare(input)
    const before = ownUsage()
    const startedAt = performance.now()
    const result = await run()
    const wallSeconds = (performance.now() - startedAt) / 1000
    const { cpuSeconds, peakRssBytes } = ownUsage()
    process.send?.({ result, usage: { cpuSeconds: cpuSeconds - before.cpuSeconds, wallSeconds, peakRssBytes } }, exit)
  } catch (error) {
    process.send?.({ failure: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }, exit)
  }
})

function exit(): void {
  process.exit()
}
