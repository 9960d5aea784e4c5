import type { AgeBand, UploadState } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import type { Queries } from './client.ts'
import { ALL_TENANTS, type Measurement } from './usage-measurement-rows.ts'

/* Every statement that reads what was counted: `usage_amounts` of a finished count, and `tenant_usage`. Sums are numbers: exact up to 8 PiB,
 * and near enough beyond. */

export interface UsageAmount {
  uploads: number
  bytes: number
}

export interface UsageOfStateAndAge extends UsageAmount {
  state: UploadState
  ageBand: AgeBand
  staleUploads: number
  staleBytes: number
}

/** What a count found of a tenant, or with null of all. */
export function findUsage(sql: Queries, { id }: Measurement, tenant: string | null): Promise<UsageOfStateAndAge[]> {
  return sql.$queryRaw<UsageOfStateAndAge[]>`
    SELECT state, age_band AS "ageBand", uploads::double precision, bytes::double precision,
      stale_uploads::double precision AS "staleUploads", stale_bytes::double precision AS "staleBytes"
    FROM usage_amounts WHERE measurement_id = ${id} AND tenant = ${tenant ?? ALL_TENANTS}`
}

/** The tenants that hold the most, and how many hold something; of one tenant only itself. */
export async function findHolders(
  sql: Queries,
  { id }: Measurement,
  tenant: string | null,
  limit: number,
): Promise<{ holders: (UsageAmount & { tenant: string })[]; count: number }> {
  const whose = tenant === null ? Prisma.sql`tenant <> ${ALL_TENANTS}` : Prisma.sql`tenant = ${tenant}`
  const rows = await sql.$queryRaw<(UsageAmount & { tenant: string; count: number })[]>`
    SELECT tenant, sum(uploads)::double precision AS uploads, sum(bytes)::double precision AS bytes,
      (count(*) OVER ())::int AS count
    FROM usage_amounts WHERE measurement_id = ${id} AND ${whose}
    GROUP BY tenant ORDER BY sum(bytes) DESC, tenant LIMIT ${limit}`
  return { holders: rows.map(({ count: _, ...holder }) => holder), count: rows[0]?.count ?? 0 }
}

/** Uploads that have ended, of a tenant, or with null of all: kept by the trigger on `uploads` with each that ends. */
export async function findEnded(
  sql: Queries,
  tenant: string | null,
): Promise<{ completed: UsageAmount; aborted: UsageAmount }> {
  const whose = tenant === null ? Prisma.sql`TRUE` : Prisma.sql`tenant = ${tenant}`
  const [row] = await sql.$queryRaw<{ completed: number; completedBytes: number; aborted: number }[]>`
    SELECT coalesce(sum(completed_uploads), 0)::double precision AS completed,
      coalesce(sum(completed_bytes), 0)::double precision AS "completedBytes",
      coalesce(sum(aborted_uploads), 0)::double precision AS aborted
    FROM tenant_usage WHERE ${whose}`
  return {
    completed: { uploads: row?.completed ?? 0, bytes: row?.completedBytes ?? 0 },
    aborted: { uploads: row?.aborted ?? 0, bytes: 0 },
  }
}
