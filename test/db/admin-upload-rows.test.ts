import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdminUploadFilter, type AdminUploadOrder, openStates } from '../../server/db/admin-upload-filter.ts'
import { listAdminUploadRows, type SearchBounds } from '../../server/db/admin-upload-rows.ts'
import { createDatabase, type Database } from '../../server/db/client.ts'
import type { UploadRow } from '../../server/db/upload-row.ts'
import { everyOrder, expectedIds, insertRandomUploads, keyBeginnings, tenants } from '../support/admin-rows.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
let db: Database
let rows: UploadRow[]
beforeAll(async () => {
  database = await createTestDatabase()
  db = createDatabase({ databaseUrl: database.databaseUrl, maxConnections: 4, log: pino({ level: 'silent' }) })
  rows = await insertRandomUploads(db, 400)
})
afterAll(async () => {
  await db.close()
  await database.close()
})

async function walkAll(filter: AdminUploadFilter, order: AdminUploadOrder, limit: number, bounds?: SearchBounds) {
  const ids: string[] = []
  for (let after = null as { value: Date | number; id: string } | null; ; ) {
    const page = await listAdminUploadRows(db.prisma, filter, order, { after, limit }, bounds)
    ids.push(...page.map(({ id }) => id))
    const last = page.at(-1)
    if (!last || page.length < limit) return ids
    after = { value: last[order.sort], id: last.id }
  }
}

const base: AdminUploadFilter = { tenant: null, states: openStates, idleSeconds: null, prefix: null, minBytes: null }
const hours = (count: number) => count * 3600
/** Every subset of the filters, each with a value that some rows pass. */
const filters: AdminUploadFilter[] = Array.from({ length: 32 }, (_, bits) => ({
  ...base,
  ...(bits & 1 ? { tenant: tenants[0] ?? null } : {}),
  ...(bits & 2 ? { states: ['uploading'] as const } : {}),
  ...(bits & 4 ? { idleSeconds: hours(4) } : {}),
  ...(bits & 8 ? { prefix: 'uploads/acme' } : {}),
  ...(bits & 16 ? { minBytes: 1 } : {}),
}))

describe.each([
  ['with its usual patience', undefined],
  ['when it soon loses patience', { few: 1, patience: 3 }],
  ['when nothing is few and it walks on', { few: 0, patience: 1_000 }],
])('a list, %s,', (_, bounds) => {
  it.each(everyOrder)(
    'shows by $sort $direction under all filters what a plain reading of the rules does',
    async (order) => {
      for (const filter of filters) {
        const ids = await walkAll(filter, order, 31, bounds)
        expect([filter, ids]).toEqual([filter, expectedIds(rows, filter, order)])
      }
    },
  )

  it('takes prefixes by their characters, whatever these mean in patterns', async () => {
    const prefixes = [
      ...keyBeginnings,
      'uploads/a',
      'u',
      'U',
      '%',
      '_',
      '\\',
      'uploads\\u',
      'nothing',
      '\u{10ffff}u',
      '\ud7ff',
      '',
    ]
    const order: AdminUploadOrder = { sort: 'createdAt', direction: 'desc' }
    for (const prefix of prefixes) {
      const ids = await walkAll({ ...base, prefix }, order, 45, bounds)
      expect([prefix, ids]).toEqual([prefix, expectedIds(rows, { ...base, prefix }, order)])
    }
  })

  it.each(['completed', 'aborted', 'pending', 'aborting'] as const)('shows uploads that are %s', async (state) => {
    for (const order of everyOrder) {
      for (const part of [{}, { idleSeconds: hours(3) }, { prefix: 'uploads/' }, { tenant: tenants[1] ?? null }]) {
        const filter = { ...base, ...part, states: [state] }
        expect(await walkAll(filter, order, 12, bounds)).toEqual(expectedIds(rows, filter, order))
      }
    }
  })
})
