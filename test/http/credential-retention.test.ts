import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startBackgroundWork } from '../../server/background/start-background-work.ts'
import { forgetCredentialGrants } from '../../server/db/credential-rows.ts'
import { CREDENTIAL_GRANTS_KEPT_DAYS, forgetOldRows } from '../../server/uploads/forget-old-rows.ts'
import { createApi, createFor, MiB, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

/* The audit trail of vended credentials does not grow for ever. */

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())
const sql = () => app.deps.db.prisma
beforeEach(() => sql().credentialGrant.deleteMany())

/** Rows in the order of `endedDaysAgo`; below zero, the credentials live. */
async function insert(...endedDaysAgo: number[]): Promise<void> {
  for (const days of endedDaysAgo) {
    await sql().$executeRaw`
      INSERT INTO credential_grants (kind, tenant, subject, resource, session_name, ttl_seconds, expires_at, request_id, sts_request_id)
      VALUES ('direct', 'acme', ${String(days)}, 'b/k', 'acme@x', 900, now() - make_interval(mins => ${Math.round(days * 1440)}::int), 'r', 's')`
  }
}
const left = async () =>
  (await sql().credentialGrant.findMany({ orderBy: { id: 'asc' } })).map(({ subject }) => Number(subject))

describe('rows of the audit trail', () => {
  it('stay for 90 days after the end of the credentials, and go with the next sweep', async () => {
    expect(CREDENTIAL_GRANTS_KEPT_DAYS).toBe(90)
    await insert(400, 90.1, 89.9, 1, 0, -0.01)
    const api = createApi(app.url, app.token({ scopes: ['uploads', 'credentials'] }))
    const upload = await createFor(api, someBytes(MiB + 1))
    await api('grantCredentials', { id: upload.id })
    const work = startBackgroundWork(app.deps)
    await expect.poll(() => sql().credentialGrant.count()).toBe(5)
    await work.stop()
    expect((await left()).slice(0, 4)).toEqual([89.9, 1, 0, -0.01])
    expect(await sql().credentialGrant.count({ where: { uploadId: upload.id } })).toBe(1)
  })

  it('go at most so many in a statement, the oldest first, and a living one before them holds nothing up for long', async () => {
    await insert(-0.01, 100, 101, 102, 5)
    expect(await forgetCredentialGrants(sql(), 90, 3)).toBe(2)
    expect(await left()).toEqual([-0.01, 102, 5])
    expect(await forgetCredentialGrants(sql(), 90, 3)).toBe(1)
    expect(await left()).toEqual([-0.01, 5])
    expect(await forgetCredentialGrants(sql(), 90, 3)).toBe(0)
  })

  it('go in one run however many they are, unless the server stops', async () => {
    await sql().$executeRaw`
      INSERT INTO credential_grants (kind, tenant, subject, resource, session_name, ttl_seconds, expires_at, request_id, sts_request_id)
      SELECT 'direct', 'acme', '100', 'b/k', 'acme@x', 900, now() - interval '100 days', 'r', 's' FROM generate_series(1, 25000)`
    await forgetOldRows(app.deps, AbortSignal.abort())
    expect(await sql().credentialGrant.count()).toBe(25_000)
    await forgetOldRows(app.deps)
    expect(await sql().credentialGrant.count()).toBe(0)
  })
})
