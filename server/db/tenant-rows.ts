import type { Queries } from './client.ts'

/* Every statement on `tenants`. A tenant without a row is an ordinary one. */

export interface TenantRow {
  tenant: string
  /** Null: not suspended. */
  suspendedAt: Date | null
}

/** Whether a tenant may be given nothing new. By the primary key: asked for every upload, grant and set of credentials. */
export async function isSuspended(sql: Queries, tenant: string): Promise<boolean> {
  const rows = await sql.$queryRaw<unknown[]>`
    SELECT 1 FROM tenants WHERE tenant = ${tenant} AND suspended_at IS NOT NULL`
  return rows.length > 0
}

/** Suspends a tenant; again: the time of the first stays. Who may lift it is the most that any suspension asked for. */
export async function suspendTenant(sql: Queries, tenant: string, isOperator: boolean): Promise<TenantRow> {
  const [row] = await sql.$queryRaw<TenantRow[]>`
    INSERT INTO tenants (tenant, suspended_at, suspended_by_operator) VALUES (${tenant}, now(), ${isOperator})
    ON CONFLICT (tenant) DO UPDATE SET suspended_at = coalesce(tenants.suspended_at, now()),
      suspended_by_operator = tenants.suspended_by_operator OR ${isOperator}
    RETURNING tenant, suspended_at AS "suspendedAt"`
  if (!row) throw new Error('an upsert returned no row')
  return row
}

/** Lifts a suspension, if there is one. Null when it is an operator's and the caller is none. */
export async function reinstateTenant(sql: Queries, tenant: string, isOperator: boolean): Promise<TenantRow | null> {
  const [row] = await sql.$queryRaw<TenantRow[]>`
    INSERT INTO tenants (tenant) VALUES (${tenant})
    ON CONFLICT (tenant) DO UPDATE SET suspended_at = NULL, suspended_by_operator = FALSE
      WHERE ${isOperator} OR NOT tenants.suspended_by_operator
    RETURNING tenant, suspended_at AS "suspendedAt"`
  return row ?? null
}
