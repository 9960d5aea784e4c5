import type { Orphan, ResolvedOrphan, Upload } from '@partway/client/contract'
import { afterAll, beforeAll } from 'vitest'
import type { CredentialsV4 } from '../../server/oss/sign-v4.ts'
import { keySegment } from '../../server/uploads/object-key.ts'
import { type Api, type ApiReply, createApi, createFor, MiB, sendParts, someBytes } from './api.ts'
import { startTestApp, type TestApp } from './app.ts'
import { abortOutside, beginOutside, completeOutside } from './strays.ts'

/* What tests of orphans share: strays and lost uploads among others, and how an administrator finds and resolves them. */

/** Every page, one after the other. */
export async function pagesOf(admin: Api, query: Record<string, string> = {}): Promise<ApiReply['body'][]> {
  const pages: ApiReply['body'][] = []
  let cursor: string | null = null
  do {
    const reply: ApiReply = await admin('listOrphans', { query: { ...query, ...(cursor ? { cursor } : {}) } })
    if (reply.status !== 200) throw new Error(`listOrphans: ${reply.status} ${JSON.stringify(reply.body)}`)
    pages.push(reply.body)
    cursor = reply.body.nextCursor
  } while (cursor)
  return pages
}
export const orphansOf = async (admin: Api, query: Record<string, string> = {}): Promise<Orphan[]> =>
  (await pagesOf(admin, query)).flatMap((page) => page.orphans)

export async function resolve(
  admin: Api,
  action: string,
  orphans: readonly Pick<Orphan, 'id'>[],
  dryRun = false,
): Promise<ResolvedOrphan[]> {
  const reply = await admin('resolveOrphans', { body: { action, ids: orphans.map(({ id }) => id), dryRun } })
  if (reply.status !== 200) throw new Error(`resolveOrphans: ${reply.status} ${JSON.stringify(reply.body)}`)
  return reply.body.orphans
}
export const outcomes = (resolved: readonly ResolvedOrphan[]) =>
  resolved.map(({ outcome, reason }) => [outcome, reason])

/** An app for the tests of a file, and what makes orphans in it. Each test takes a tenant of its own. */
export function setUpOrphans() {
  let started: TestApp
  let count = 0
  beforeAll(async () => {
    started = await startTestApp()
  })
  afterAll(() => started.close())

  const app = () => started
  const newTenant = () => `tenant-${++count}`
  const adminOf = (tenant: string, on = app()) =>
    createApi(on.url, on.token({ subject: 'boss', tenant, scopes: ['admin'] }))
  const userOf = (tenant: string, on = app()) =>
    createApi(on.url, on.token({ tenant, scopes: ['uploads', 'credentials', 'credentials:direct'] }))

  /** A stray as old as one must be for an abort. */
  const begin = (key: string, partSizes: readonly number[] = [], credentials?: CredentialsV4) =>
    beginOutside(app().cloud, key, partSizes, credentials, 2 * 3_600_000)

  /** An upload with all its parts sent, and not completed. */
  async function sent(tenant: string, on = app()): Promise<Upload & { uploadId: string; bytes: Buffer }> {
    const [api, bytes] = [userOf(tenant, on), someBytes(MiB + 7)]
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes)
    return { ...upload, uploadId: upload.uploadId ?? '', bytes }
  }

  const sql = () => app().deps.db.prisma
  /** As if every grant and every set of credentials had ended so long ago; by default so that no request begun with one can still run. */
  async function endGrants(ago = '5 hours'): Promise<void> {
    await sql().$executeRaw`UPDATE uploads SET grants_alive_until = now() - ${ago}::interval,
      credentials_alive_until = CASE WHEN credentials_alive_until IS NOT NULL THEN now() - ${ago}::interval END
      WHERE grants_alive_until IS NOT NULL`
    await sql().$executeRaw`UPDATE credential_grants SET expires_at = now() - ${ago}::interval`
  }

  /** One orphan of each kind and cause, among uploads that are none. */
  async function everyKind(tenant: string) {
    const [api, key] = [userOf(tenant), (name: string) => `uploads/${keySegment(tenant)}/${name}`]
    const [open, lost, outside, done, aborted] = [
      await sent(tenant),
      await sent(tenant),
      await sent(tenant),
      await sent(tenant),
      await createFor(api, someBytes(5)),
    ]
    await sent(tenant)
    await abortOutside(app().cloud, lost.key, lost.uploadId)
    await completeOutside(app().cloud, outside.key, outside.uploadId)
    await api('completeUpload', { id: done.id, body: {} })
    await api('abortUpload', { id: aborted.id })
    await sql().$executeRaw`UPDATE uploads SET due_at = NULL WHERE id = ${aborted.id}`
    const direct = (await api('grantDirectCredentials')).body
    const directKey = `${direct.prefix}a/b.bin`
    return {
      direct,
      strays: {
        plain: { key: key('x/film.mp4'), id: await begin(key('x/film.mp4'), [MiB, 10]) },
        empty: { key: key('y/none'), id: await begin(key('y/none')) },
        beside: { key: open.key, id: await begin(open.key, [3]), row: open.id },
        afterwards: { key: done.key, id: await begin(done.key, [4]), row: done.id },
        late: { key: aborted.key, id: await begin(aborted.key, [5]), row: aborted.id },
        direct: { key: directKey, id: await begin(directKey, [6], direct) },
      },
      open,
      lost,
      outside,
      done,
    }
  }

  return { app, newTenant, adminOf, userOf, begin, sent, sql, endGrants, everyKind }
}
