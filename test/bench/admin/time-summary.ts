import { measureUsage } from '../../../server/admin/measure-usage.ts'
import type { BenchServer } from './bench-server.ts'
import type { Samples } from './samples.ts'

export interface SummaryFigures {
  /** The very first summary, which waits for the first count, in milliseconds. */
  firstMs: number
  /** Counts of all open uploads, in milliseconds. */
  counts: Samples
  summaries: Samples
  /** Summaries while a count is under way. */
  whileCounting: Samples
}

const counts = 5
const summaries = 100

/** Asks for summaries, of everybody and of one tenant, with and without a count behind them. */
export async function timeSummary(server: BenchServer): Promise<SummaryFigures> {
  await server.sql.query('DELETE FROM usage_measurements')
  await server.sql.query('DELETE FROM usage_amounts')
  const figures: SummaryFigures = {
    firstMs: (await server.get('/v1/admin/summary')).ms,
    counts: [],
    summaries: [],
    whileCounting: [],
  }
  const paths = ['/v1/admin/summary', '/v1/admin/summary?tenant=tenant-0000']
  const ask = async (index: number) => (await server.get(paths[index % paths.length] ?? '')).ms
  for (let index = 0; index < summaries; index++) figures.summaries.push(await ask(index))
  for (let count = 0; count < counts; count++) {
    let isCounting = true
    const startedAt = performance.now()
    const counted = measureUsage(server.deps).then(() => {
      figures.counts.push(performance.now() - startedAt)
      isCounting = false
    })
    for (let index = 0; isCounting; index++) figures.whileCounting.push(await ask(index))
    await counted
  }
  return figures
}
