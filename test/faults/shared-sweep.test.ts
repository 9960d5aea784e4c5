import { afterAll, beforeAll, expect, it } from 'vitest'
import { judge } from '../bench/sweep/bench.ts'
import { createInstallation, type Installation } from '../bench/sweep/installation.ts'
import { runSweep } from '../bench/sweep/run-sweep.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

/* The benchmark of the sweep with fewer uploads. SWEEP_TEST_STALE: how many (default 5,000, which a machine of two cores sweeps in about a
 * minute); `npm run bench -- sweep` takes 100,000. */

const stale = Number(process.env.SWEEP_TEST_STALE ?? 5_000)
const longestMs = 900_000

let database: TestDatabase
let installation: Installation

beforeAll(async () => {
  database = await createTestDatabase()
  installation = await createInstallation(database.databaseUrl)
})
afterAll(async () => {
  await installation.close()
  await database.close()
})

it(
  `of ${stale} stale uploads and 200 live ones, four server processes abort each stale one once and touch no live one`,
  async () => {
    const plan = { stale, live: 200, processes: 4, withSecondLooks: false }
    const figures = await runSweep(installation, plan, () => {})
    expect(judge(figures).filter(({ isMet }) => !isMet)).toEqual([])
  },
  longestMs,
)
