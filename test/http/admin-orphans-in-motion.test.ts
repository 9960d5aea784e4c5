import { describe, expect, it } from 'vitest'
import type { Deps } from '../../server/deps.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { createFor, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { orphansOf, pagesOf, resolve, setUpOrphans } from '../support/orphans.ts'

/* What an administrator is never told is an orphan. */

const { app, newTenant, adminOf, userOf, begin, sent, sql } = setUpOrphans()

describe('what is merely in motion', () => {
  /** A server whose calls to OSS are followed by whatever happens meanwhile. */
  async function withMeanwhile(
    change: (objects: Deps['objects']) => Partial<Deps['objects']>,
    work: (on: TestApp) => Promise<void>,
  ): Promise<void> {
    const objects = { ...app().deps.objects, ...change(app().deps.objects), close: async () => {} }
    const slow = await startTestApp({ beside: app(), deps: { objects } })
    await work(slow).finally(() => slow.close())
  }

  it('is not accused: an upload that is being created, whose id is not stored yet', async () => {
    const tenant = newTenant()
    app().cloud.faults.add({
      match: { verb: 'InitiateMultipartUpload' },
      times: 1,
      effect: { kind: 'cut', at: 'reply' },
    })
    await userOf(tenant)('createUpload', { body: { fileName: 'a', sizeBytes: 5 } })
    app().cloud.faults.clear()
    const pages = await pagesOf(adminOf(tenant))
    expect(pages.flatMap((page) => page.orphans)).toEqual([])
    expect(pages[0]?.compared).toBe(1)
  })

  it('is not accused: an upload that began after the bucket was listed, and one that ended', async () => {
    const tenant = newTenant()
    const [user, ended] = [userOf(tenant), await sent(tenant)]
    let fresh = 0
    const listUploads: Deps['objects']['listUploads'] = async (...page) => {
      const listed = await app().deps.objects.listUploads(...page)
      await createFor(user, someBytes(3))
      fresh++
      await user('completeUpload', { id: ended.id, body: {} })
      return listed
    }
    await withMeanwhile(
      () => ({ listUploads }),
      async (slow) => expect(await orphansOf(adminOf(tenant, slow), { limit: '3' })).toEqual([]),
    )
    expect(fresh).toBeGreaterThan(0)
  })

  it.each([
    ['completeUpload', 'before'],
    ['completeUpload', 'after'],
    ['abortUpload', 'before'],
    ['abortUpload', 'after'],
  ] as const)(
    'is not accused: a row that leaves by %s while OSS is asked about it, %s it answers',
    async (leave, when) => {
      const tenant = newTenant()
      const upload = await sent(tenant)
      const left = () => userOf(tenant)(leave, { id: upload.id, ...(leave === 'completeUpload' ? { body: {} } : {}) })
      let asked = 0
      await withMeanwhile(
        ({ listParts }) => ({
          // As if the list had been taken before the upload began.
          listUploads: async () => ({ uploads: [], next: null }),
          listParts: async (key, id, page) => {
            asked++
            if (when === 'before') await left()
            const parts = await listParts(key, id, page)
            if (when === 'after') await left()
            return parts
          },
        }),
        async (slow) => expect(await orphansOf(adminOf(tenant, slow))).toEqual([]),
      )
      expect(asked).toBe(1)
    },
  )

  it('is not accused: the upload of a row that was completed before the row was read, but after the list', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    await withMeanwhile(
      ({ listUploads }) => ({
        listUploads: async (...page) => {
          const listed = await listUploads(...page)
          await userOf(tenant)('completeUpload', { id: upload.id, body: {} })
          return listed
        },
      }),
      async (slow) => expect(await orphansOf(adminOf(tenant, slow))).toEqual([]),
    )
  })

  it('is not accused: a stray that is adopted while OSS is asked about it', async () => {
    const tenant = newTenant()
    await begin(`uploads/${tenant}/x/a`, [1])
    const [orphan] = await orphansOf(adminOf(tenant))
    await withMeanwhile(
      ({ listParts }) => ({
        listParts: async (...of) => {
          if (orphan) await resolve(adminOf(tenant), 'adopt', [orphan])
          return listParts(...of)
        },
      }),
      async (slow) => expect(await orphansOf(adminOf(tenant, slow))).toEqual([]),
    )
  })

  it('is not accused: what is being aborted, or waits for its second look', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    app().cloud.faults.add({ match: { verb: 'AbortMultipartUpload' }, effect: { kind: 'cut', at: 'start' } })
    await userOf(tenant)('abortUpload', { id: upload.id })
    app().cloud.faults.clear()
    expect(await orphansOf(adminOf(tenant))).toEqual([])
    await sql().$executeRaw`UPDATE uploads SET due_at = now() WHERE id = ${upload.id}`
    await recoverUploads(app().deps)
    const late = await begin(upload.key, [5])
    expect(await orphansOf(adminOf(tenant))).toEqual([])
    await sql().$executeRaw`UPDATE uploads SET due_at = NULL WHERE id = ${upload.id}`
    expect((await orphansOf(adminOf(tenant))).map((one) => one.ossUploadId)).toEqual([late])
  })

  it('is not accused in a storm of creates, completes and aborts', async () => {
    const tenant = newTenant()
    const [user, admin] = [userOf(tenant), adminOf(tenant)]
    let isOver = false
    const storm = async () => {
      for (let n = 0; n < 6; n++) {
        const upload = await createFor(user, someBytes(20))
        await sendParts(user, upload, someBytes(20))
        await (n % 3 === 0
          ? user('abortUpload', { id: upload.id })
          : user('completeUpload', { id: upload.id, body: {} }))
      }
    }
    const storms = Promise.all([storm(), storm(), storm()]).finally(() => {
      isOver = true
    })
    let looks = 0
    while (!isOver) {
      expect(await orphansOf(admin, { limit: '2' })).toEqual([])
      looks++
    }
    await storms
    expect(looks).toBeGreaterThan(0)
    expect(await orphansOf(admin)).toEqual([])
  })
})
