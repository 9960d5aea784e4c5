import { ageBands, type Summary } from '@partway/client/contract'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { keepUsage } from '../../server/admin/keep-usage.ts'
import { measureUsage } from '../../server/admin/measure-usage.ts'
import type { UploadRow } from '../../server/db/upload-row.ts'
import {
  beginMeasurement,
  finishMeasurement,
  type MeasuredTo,
  measureNext,
} from '../../server/db/usage-measurement-rows.ts'
import { insertRandomUploads } from '../support/admin-rows.ts'
import { type Api, createApi } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let second: TestApp
let rows: UploadRow[]
let operator: Api
beforeEach(async () => {
  app = await startTestApp({ environment: { PRICE_PER_GB_MONTH: '0.5' } })
  second = await startTestApp({ beside: app })
  rows = await insertRandomUploads(app.deps.db, 200)
  operator = createApi(app.url, app.token({ subject: 'op', tenant: '*', scopes: ['admin'] }))
})
afterEach(async () => {
  await second.close()
  await app.close()
})

const adminOf = (tenant: string) => createApi(app.url, app.token({ subject: 'boss', tenant, scopes: ['admin'] }))
async function summaryOf(api: Api): Promise<Summary> {
  const { status, body } = await api('getSummary')
  expect(status).toBe(200)
  return body
}
const isOpen = ({ state }: UploadRow) => state !== 'completed' && state !== 'aborted'
const amountOf = (some: UploadRow[]) => ({
  uploads: some.length,
  bytes: some.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
})
const ageSeconds = (row: UploadRow, at: 'createdAt' | 'lastActivityAt') => (Number(row.readAt) - Number(row[at])) / 1000
const costOf = (bytes: number) => (bytes / 2 ** 30) * 0.5

/** What a plain count of the rows gives. */
function expectedOf(some: UploadRow[]) {
  const open = some.filter(isOpen)
  const held = amountOf(open)
  const stale = amountOf(
    open.filter((row) => ageSeconds(row, 'lastActivityAt') >= 86_400 || ageSeconds(row, 'createdAt') >= 604_800),
  )
  return {
    held: { ...held, monthlyCost: costOf(held.bytes) },
    stale: { ...stale, monthlyCost: costOf(stale.bytes), afterSeconds: 86_400 },
    byState: (['pending', 'uploading', 'completing', 'completed', 'aborting', 'aborted'] as const)
      .map((state) => ({ state, ...amountOf(some.filter((row) => row.state === state)) }))
      .sort((a, b) => a.state.localeCompare(b.state)),
    byAge: ageBands.map((band) => ({
      ...band,
      ...amountOf(
        open.filter((row) => {
          const age = ageSeconds(row, 'createdAt')
          return age >= band.fromSeconds && age < (band.toSeconds ?? Number.POSITIVE_INFINITY)
        }),
      ),
    })),
  }
}
const shapeOf = ({ held, stale, byState, byAge }: Summary) => ({
  held,
  stale,
  byState: [...byState].sort((a, b) => a.state.localeCompare(b.state)),
  byAge,
})
const query = <T>(strings: TemplateStringsArray, ...values: unknown[]) =>
  app.deps.db.prisma.$queryRaw<T[]>(strings, ...values)

describe('the summary', () => {
  it('agrees with a plain count of everybody’s uploads, by state, age and tenant', async () => {
    const summary = await summaryOf(operator)
    expect(shapeOf(summary)).toEqual(expectedOf(rows))
    const names = [...new Set(rows.filter(isOpen).map(({ tenant }) => tenant))]
    const byTenant = names
      .map((tenant) => ({ tenant, ...amountOf(rows.filter((row) => isOpen(row) && row.tenant === tenant)) }))
      .map((holder) => ({ ...holder, monthlyCost: costOf(holder.bytes) }))
      .sort((a, b) => b.bytes - a.bytes)
    expect(summary).toMatchObject({ tenant: null, byTenant, tenantCount: names.length, pricePerGbMonth: 0.5 })
  })

  it('shows the administrator of a tenant that one’s alone', async () => {
    const summary = await summaryOf(adminOf('acme'))
    const own = rows.filter(({ tenant }) => tenant === 'acme')
    expect(shapeOf(summary)).toEqual(expectedOf(own))
    expect(summary.byTenant.map(({ tenant }) => tenant)).toEqual(['acme'])
    expect([summary.tenant, summary.tenantCount]).toEqual(['acme', 1])
    expect(await summaryOf(adminOf('nobody'))).toMatchObject({ held: { uploads: 0 }, byTenant: [], tenantCount: 0 })
  })

  it('answers at once from a count of more than a minute ago, and counts anew behind the reply', async () => {
    const { measuredAt } = await summaryOf(operator)
    expect((await summaryOf(operator)).measuredAt).toBe(measuredAt)
    await app.deps.db.prisma.$executeRaw`DELETE FROM uploads WHERE tenant = 'other'`
    await app.deps.db.prisma.$executeRaw`UPDATE usage_measurements SET started_at = started_at - interval '61 seconds'`
    const old = await summaryOf(operator)
    expect(old.held.uploads).toBe(rows.filter(isOpen).length)
    await vi.waitFor(async () => {
      const { held } = await summaryOf(operator)
      expect(held.uploads).toBe(rows.filter((row) => isOpen(row) && row.tenant !== 'other').length)
    }, 20_000)
  })

  it('is answered although the count behind it fails, which is logged', async () => {
    await summaryOf(operator)
    await app.deps.db.prisma.$executeRaw`UPDATE usage_measurements SET started_at = started_at - interval '61 seconds'`
    await app.deps.db.prisma.$executeRaw`ALTER TABLE usage_amounts ADD CONSTRAINT full_disk CHECK (measurement_id = 1)`
    await summaryOf(operator)
    await vi.waitFor(() => expect(app.logLines.join('')).toContain('could not be counted'), 20_000)
    await summaryOf(operator)
    // Nobody has to wait for the lease of a count that failed.
    await vi.waitFor(
      async () => expect(await query`SELECT 1 FROM usage_measurements WHERE finished_at IS NULL`).toEqual([]),
      20_000,
    )
  })
})

describe('counting', () => {
  const rules = { staleAfterSeconds: 86_400, ttlSeconds: 604_800 }

  it('is done by one instance at a time', async () => {
    const counted = await Promise.all([app, second, app, second].map(({ deps }) => measureUsage(deps)))
    expect(counted).toContain(true)
    expect(await query`SELECT tenant, state, age_band FROM usage_amounts GROUP BY 1, 2, 3 HAVING count(*) > 2`).toEqual(
      [],
    )
    expect(shapeOf(await summaryOf(operator))).toEqual(expectedOf(rows))
    const held = await beginMeasurement(app.deps.db)
    expect(await measureUsage(second.deps)).toBe(false)
    expect(held).not.toBeNull()
  })

  it('in many small steps comes to the same', async () => {
    const { prisma } = app.deps.db
    const measurement = await beginMeasurement(app.deps.db)
    if (!measurement) throw new Error('somebody is counting')
    let measuredTo: MeasuredTo | null = null
    let steps = 0
    for (;;) {
      const step = await measureNext(prisma, measurement, measuredTo, rules, 7)
      if (!step?.measuredTo) break
      steps++
      measuredTo = step.measuredTo
    }
    expect(steps).toBe(Math.ceil(rows.filter(isOpen).length / 7))
    expect(await finishMeasurement(prisma, measurement)).toBe(true)
    expect(shapeOf(await summaryOf(operator))).toEqual(expectedOf(rows))
  })

  it('that died is replaced after its lease, and adds nothing when it comes back', async () => {
    const { prisma } = app.deps.db
    const dead = await beginMeasurement(app.deps.db)
    if (!dead) throw new Error('somebody is counting')
    const step = await measureNext(prisma, dead, null, rules, 10)
    await prisma.$executeRaw`UPDATE usage_measurements SET due_at = now() - interval '1 second'`
    expect(await measureUsage(second.deps)).toBe(true)
    expect(await measureNext(prisma, dead, step?.measuredTo ?? null, rules, 10)).toBeNull()
    expect(await finishMeasurement(prisma, dead)).toBe(false)
    expect(await query`SELECT 1 FROM usage_amounts WHERE measurement_id = ${dead.id}`).toEqual([])
    expect(shapeOf(await summaryOf(operator))).toEqual(expectedOf(rows))
  })

  it('leaves no more than the two latest counts', async () => {
    for (let count = 0; count < 4; count++) expect(await measureUsage(app.deps)).toBe(true)
    const kept = await query<{ id: bigint }>`SELECT id FROM usage_measurements ORDER BY id`
    const counted = await query<{ id: bigint }>`SELECT DISTINCT measurement_id AS id FROM usage_amounts ORDER BY 1`
    expect(kept).toHaveLength(2)
    expect(counted).toEqual(kept)
  })
})

describe('usage over time', () => {
  it('is written down once an hour, for all and for each tenant that holds something', async () => {
    await Promise.all([keepUsage(app.deps), keepUsage(second.deps)])
    await keepUsage(app.deps)
    const held = rows.filter(isOpen)
    const hours = await query<{ tenant: string; uploads: bigint; isFull: boolean }>`
      SELECT tenant, uploads, taken_at = date_trunc('hour', taken_at) AS "isFull" FROM usage_snapshots`
    const names = [...new Set(held.map(({ tenant }) => tenant))]
    expect(hours.map(({ tenant }) => tenant).sort()).toEqual(['*', ...names].sort())
    expect(hours.find(({ tenant }) => tenant === '*')?.uploads).toBe(BigInt(held.length))
    expect(hours.every(({ isFull }) => isFull)).toBe(true)

    await app.deps.db.prisma.$executeRaw`UPDATE usage_snapshots SET taken_at = taken_at - interval '1 hour'`
    await app.deps.db.prisma
      .$executeRaw`UPDATE uploads SET state = 'completed', etag = 'AB', completed_at = now() WHERE tenant = 'acme' AND state = 'uploading'`
    await app.deps.db.prisma
      .$executeRaw`DELETE FROM uploads WHERE tenant = 'acme' AND state IN ('pending', 'completing', 'aborting')`
    await app.deps.db.prisma.$executeRaw`UPDATE usage_measurements SET started_at = started_at - interval '61 seconds'`
    await keepUsage(app.deps)
    const { overTime } = await summaryOf(operator)
    expect(overTime.map(({ uploads }) => uploads)).toEqual([
      held.length,
      held.filter(({ tenant }) => tenant !== 'acme').length,
    ])
    // A tenant that holds nothing any more is told so.
    const own = await summaryOf(adminOf('acme'))
    expect(own.overTime.map(({ at, uploads }) => [at, uploads])).toEqual([
      [overTime[0]?.at, held.filter(({ tenant }) => tenant === 'acme').length],
      [overTime[1]?.at, 0],
    ])
  })

  it('is thinned out: hours for a week, the first of each day for 90 days before, then nothing', async () => {
    await app.deps.db.prisma.$executeRaw`
      INSERT INTO usage_snapshots (tenant, taken_at, uploads, bytes)
      SELECT tenant, date_trunc('hour', now()) - hour * interval '1 hour', 1, 1
      FROM generate_series(1, 100 * 24) AS hour, (VALUES ('*'), ('acme')) AS of (tenant)
      -- Three hours of each former day, and of one day the midnight is missing: nobody wrote it down.
      WHERE (hour < 8 * 24 OR extract(hour FROM date_trunc('hour', now()) - hour * interval '1 hour') IN (0, 1, 13))
        AND date_trunc('hour', now()) - hour * interval '1 hour' <> date_trunc('day', now() - interval '20 days')`
    await keepUsage(app.deps)
    const kept = await query<{ tenant: string; at: Date; age: number; hour: number }>`
      SELECT tenant, taken_at AS at, extract(epoch FROM now() - taken_at)::float8 / 86400 AS age,
        extract(hour FROM taken_at)::int AS hour FROM usage_snapshots WHERE tenant IN ('*', 'acme') ORDER BY taken_at DESC`
    for (const tenant of ['*', 'acme']) {
      const own = kept.filter((row) => row.tenant === tenant)
      const old = own.filter(({ age }) => age > 7)
      expect(own.filter(({ age }) => age <= 7).length).toBeGreaterThanOrEqual(7 * 24)
      expect(old.length).toBeGreaterThanOrEqual(89)
      expect(new Set(old.map(({ at }) => at.toISOString().slice(0, 10))).size).toBe(old.length)
      // Of the oldest day whatever is not too old.
      expect(old.slice(0, -1).flatMap(({ hour }) => (hour === 0 ? [] : [hour]))).toEqual([1])
      expect(Math.max(...own.map(({ age }) => age))).toBeLessThan(97)
    }
    await keepUsage(app.deps)
    expect((await summaryOf(operator)).overTime).toHaveLength(kept.filter(({ tenant }) => tenant === '*').length)
  })
})
