import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type Database } from '../../server/db/client.ts'
import {
  claimDueLooks,
  claimStaleUploads,
  findStaleUploads,
  type SweepOrder,
  scheduleLooks,
} from '../../server/db/look-rows.ts'
import { claimDueUpload, claimEndedUpload } from '../../server/db/upload-rows.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

/* A server that was given another bucket keeps the rows of the former one, overdue for ever. They must not stand in front of its own. */

const former = 3_000
const bucket = 'bucket-now'
const page = { after: null, limit: 4 }
const stale = (by: SweepOrder['by']): SweepOrder => ({ by, olderThanSeconds: 30, tenant: null })
let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await createTestDatabase()
  // One connection, so that Postgres can be told to count at once what was read on it.
  db = createDatabase({ databaseUrl: database.databaseUrl, maxConnections: 1, log: pino({ level: 'silent' }) })
  const insert = (name: string, count: number, overdue: string) => db.prisma.$executeRaw`
    INSERT INTO uploads (id, tenant, subject, state, due_at, file_name, content_type, size_bytes, part_size_bytes, bucket, region, key, abort_reason,
      oss_upload_id, created_at, last_activity_at)
    SELECT 'upl_' || md5(${name} || state || n), 'acme', 'alice', state, now() - ${overdue}::interval, 'f', 'text/plain', 5, 1048576, ${name},
      'cn-hangzhou', ${name} || state || n, CASE WHEN state IN ('aborting', 'aborted') THEN 'user' END, 'id',
      now() - ${overdue}::interval - n * interval '1 millisecond', now() - ${overdue}::interval - n * interval '1 millisecond'
    FROM generate_series(1, ${count}::int) AS n, unnest(ARRAY['uploading', 'aborting', 'aborted']) AS state`
  await insert('bucket-before', former, '2 days')
  // As many: of a few, Postgres would read all and sort them.
  await insert(bucket, former, '1 minute')
  await db.prisma.$executeRaw`ANALYZE uploads`
})
afterAll(async () => {
  await db.close()
  await database.close()
})

/** How many rows of `uploads` Postgres read for some work. */
async function readFor(work: () => Promise<unknown>): Promise<number> {
  const total = async () => {
    await db.prisma.$queryRaw`SELECT pg_stat_force_next_flush()::text`
    const [row] = await db.prisma.$queryRaw<{ total: number }[]>`
      SELECT (seq_tup_read + idx_tup_fetch)::int AS total FROM pg_stat_user_tables WHERE relname = 'uploads'`
    return row?.total ?? Number.NaN
  }
  const before = await total()
  await work()
  return (await total()) - before
}

describe('rows of a former bucket are not read to find', () => {
  it.each([
    ['what is on its way', () => claimDueUpload(db.prisma, bucket, 30)],
    ['what has ended and is due for another look', () => claimEndedUpload(db.prisma, bucket, 30)],
    ['uploads whose daily look is due', async () => (await claimDueLooks(db.prisma, bucket, 4, 30))[0]],
    [
      'what has been idle for long',
      async () => (await claimStaleUploads(db.prisma, bucket, stale('idle'), page, 30))[0],
    ],
    ['what is old', async () => (await claimStaleUploads(db.prisma, bucket, stale('age'), page, 30))[0]],
    [
      'what an administrator sweeps',
      async () => (await findStaleUploads(db.prisma, bucket, stale('idle'), { ...page, isFree: true }))[0],
    ],
  ])('%s', async (_, claim) => {
    let claimed: Awaited<ReturnType<typeof claim>> | undefined
    const read = await readFor(async () => {
      claimed = await claim()
    })
    expect(claimed?.bucket).toBe(bucket)
    expect(read).toBeLessThan(100)
  })

  it('uploads that have no next look', async () => {
    expect(await readFor(() => scheduleLooks(db.prisma, 10_000))).toBeLessThan(100)
  })
})
