import type { TestApp } from './app.ts'

/* The database's clock rules every age. Tests do not wait for it: they move what it is compared with. */

const columns = [
  'created_at',
  'last_activity_at',
  'grants_alive_until',
  'credentials_alive_until',
  'reconciled_at',
  'last_granted_at',
  'due_at',
]

/** To the rows of `uploads`, or of some of them, it is as if so much time had passed, leases included. `interval` as Postgres writes it. */
export async function letPass(app: Pick<TestApp, 'deps'>, interval: string, ids: readonly string[] | null = null) {
  const moved = columns.map((column) => `${column} = ${column} - $1::interval`).join(', ')
  await app.deps.db.prisma.$executeRawUnsafe(
    `UPDATE uploads SET ${moved} WHERE $2::text[] IS NULL OR id = ANY ($2::text[])`,
    interval,
    ids,
  )
}
