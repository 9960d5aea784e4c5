import type { TenantLimits, TenantUsage } from '@partway/client/contract'
import { Prisma } from '../../prisma/generated/client.ts'
import { noLimits } from '../tenant-limits.ts'
import type { Queries } from './client.ts'

/* Every statement on `tenants`. A tenant without a row is an ordinary one. */

export interface TenantRow {
  tenant: string
  /** Null: not suspended. */
  suspendedAt: Date | null
  /** Its own. Null: the server's hold. */
  limits: TenantLimits
}

type RawTenant = Omit<TenantRow, 'limits'> & {
  maxOpenUploads: number | null
  maxBytesInFlight: bigint | null
  maxCreatesPerMinute: number | null
}

const columns = Prisma.sql`tenants.suspended_at AS "suspendedAt", tenants.max_open_uploads AS "maxOpenUploads",
  tenants.max_bytes_in_flight AS "maxBytesInFlight", tenants.max_creates_per_minute AS "maxCreatesPerMinute"`

/** What was said about a tenant. By the primary key: asked for every upload, grant and set of credentials. */
export async function findTenant(sql: Queries, tenant: string): Promise<TenantRow> {
  const [raw] = await sql.$queryRaw<RawTenant[]>`SELECT tenant, ${columns} FROM tenants WHERE tenant = ${tenant}`
  return raw ? toTenantRow(raw) : { tenant, suspendedAt: null, limits: noLimits }
}

/** The same, with what the tenant has at this moment. */
export async function readTenant(sql: Queries, tenant: string): Promise<TenantRow & { usage: TenantUsage }> {
  const [raw] = await sql.$queryRaw<(RawTenant & { open: bigint; bytes: bigint; creates: number })[]>`
    SELECT asked.tenant, ${columns}, coalesce(open_uploads, 0) AS open, coalesce(bytes_in_flight, 0) AS bytes,
      CASE WHEN minute = date_trunc('minute', now()) THEN creates_in_minute ELSE 0 END AS creates
    FROM (SELECT ${tenant}::text AS tenant) AS asked LEFT JOIN tenants USING (tenant) LEFT JOIN tenant_usage USING (tenant)`
  if (!raw) throw new Error('a row of constants is missing')
  const { open, bytes, creates } = raw
  return {
    ...toTenantRow(raw),
    usage: { openUploads: Number(open), bytesInFlight: Number(bytes), createsThisMinute: creates },
  }
}

/** Suspends a tenant; again: the time of the first stays. Who may lift it is the most that any suspension asked for. */
export async function suspendTenant(sql: Queries, tenant: string, isOperator: boolean): Promise<void> {
  await sql.$executeRaw`
    INSERT INTO tenants (tenant, suspended_at, suspended_by_operator) VALUES (${tenant}, now(), ${isOperator})
    ON CONFLICT (tenant) DO UPDATE SET suspended_at = coalesce(tenants.suspended_at, now()),
      suspended_by_operator = tenants.suspended_by_operator OR ${isOperator}`
}

/** Lifts a suspension, if there is one. False when it is an operator's and the caller is none. */
export async function reinstateTenant(sql: Queries, tenant: string, isOperator: boolean): Promise<boolean> {
  const changed = await sql.$executeRaw`
    INSERT INTO tenants (tenant) VALUES (${tenant})
    ON CONFLICT (tenant) DO UPDATE SET suspended_at = NULL, suspended_by_operator = FALSE
      WHERE ${isOperator} OR NOT tenants.suspended_by_operator`
  return changed === 1
}

/** A limit that is not named stays as it is. */
export type LimitsChange = { [Limit in keyof TenantLimits]?: TenantLimits[Limit] | undefined }

/** Sets limits of a tenant. */
export async function setLimits(sql: Queries, tenant: string, change: LimitsChange): Promise<void> {
  const changed = (limit: keyof TenantLimits, column: Prisma.Sql) =>
    change[limit] === undefined ? [] : [Prisma.sql`${column} = ${change[limit]}`]
  const assignments = [
    ...changed('maxOpenUploads', Prisma.sql`max_open_uploads`),
    ...changed('maxBytesInFlight', Prisma.sql`max_bytes_in_flight`),
    ...changed('maxCreatesPerMinute', Prisma.sql`max_creates_per_minute`),
  ]
  if (assignments.length === 0) return
  await sql.$executeRaw`INSERT INTO tenants (tenant) VALUES (${tenant}) ON CONFLICT (tenant) DO NOTHING`
  await sql.$executeRaw`UPDATE tenants SET ${Prisma.join(assignments, ', ')} WHERE tenant = ${tenant}`
}

function toTenantRow(raw: RawTenant): TenantRow {
  const { tenant, suspendedAt, maxOpenUploads, maxBytesInFlight, maxCreatesPerMinute } = raw
  const limits = {
    maxOpenUploads,
    maxBytesInFlight: maxBytesInFlight === null ? null : Number(maxBytesInFlight),
    maxCreatesPerMinute,
  }
  return { tenant, suspendedAt, limits }
}
