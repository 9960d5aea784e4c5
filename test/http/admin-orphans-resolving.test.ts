import { describe, expect, it } from 'vitest'
import { resolveOrphans } from '../../server/admin/resolve-orphans.ts'
import type { Deps } from '../../server/deps.ts'
import type { Principal } from '../../server/principal.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { type ApiReply, createApi, MiB } from '../support/api.ts'
import { startTestApp } from '../support/app.ts'
import { putForeignObject, readObject } from '../support/objects.ts'
import { orphansOf, outcomes, resolve, setUpOrphans } from '../support/orphans.ts'
import { abortOutside, beginOutside, completeOutside, isThere, putOutside } from '../support/strays.ts'
import { until } from '../support/until.ts'

/* Orphans that are aborted or closed. */

const { app, newTenant, adminOf, userOf, begin, sent, sql, endGrants, everyKind } = setUpOrphans()

describe('aborting orphans', () => {
  it('discards their parts for good, and leaves rows and objects alone', async () => {
    const tenant = newTenant()
    const { strays, done, open } = await everyKind(tenant)
    await endGrants()
    const admin = adminOf(tenant)
    const found = (await orphansOf(admin)).filter(({ kind }) => kind === 'untracked' || kind === 'direct')
    const before = app().cloud.requests.count('AbortMultipartUpload')
    expect(found.every(({ actions }) => actions.includes('abort'))).toBe(true)
    expect(outcomes(await resolve(admin, 'abort', found))).toEqual(found.map(() => ['aborted', 'done']))
    // Each until OSS knew it no more.
    expect(app().cloud.requests.count('AbortMultipartUpload') - before).toBe(2 * found.length)
    for (const { key, id } of Object.values(strays)) expect(await isThere(app().cloud, key, id)).toBe(false)
    expect(await readObject(app().cloud, done.key)).toEqual(done.bytes)
    expect(await isThere(app().cloud, open.key, open.uploadId)).toBe(true)
    expect((await userOf(tenant)('completeUpload', { id: open.id, body: {} })).status).toBe(200)
    expect((await orphansOf(admin)).map(({ kind }) => kind).sort()).toEqual(['completed-outside', 'lost'])
    expect(outcomes(await resolve(admin, 'abort', found))).toEqual(found.map(() => ['left', 'not-an-orphan']))
  })

  it('is not done while credentials or grants are alive: of a folder, of a former folder, of the key’s row', async () => {
    const tenant = newTenant()
    const { strays, open } = await everyKind(tenant)
    const admin = adminOf(tenant)
    const find = async (id: string) => (await orphansOf(admin)).filter((one) => one.ossUploadId === id)
    const [beside, direct] = [await find(strays.beside.id), await find(strays.direct.id)]
    expect(outcomes(await resolve(admin, 'abort', beside))).toEqual([['left', 'grant-alive']])
    expect(outcomes(await resolve(admin, 'abort', direct))).toEqual([['left', 'credential-alive']])
    await endGrants()
    await userOf(tenant)('grantCredentials', { id: open.id })
    expect(outcomes(await resolve(admin, 'abort', beside))).toEqual([['left', 'credential-alive']])
    // Handed out when DIRECT_PREFIX was a longer one.
    await sql().$executeRaw`UPDATE credential_grants SET expires_at = now() + interval '1 hour',
      resource = ${`partway-local/${strays.direct.key.slice(0, strays.direct.key.lastIndexOf('/'))}/*`}
      WHERE tenant = ${tenant} AND kind = 'direct'`
    expect(outcomes(await resolve(admin, 'abort', direct))).toEqual([['left', 'credential-alive']])
    await endGrants()
    for (const { key, id } of [strays.beside, strays.direct]) expect(await isThere(app().cloud, key, id)).toBe(true)
    expect(outcomes(await resolve(admin, 'abort', [...beside, ...direct]))).toEqual([
      ['aborted', 'done'],
      ['aborted', 'done'],
    ])
  })

  it('is not done while a part that credentials were used for can still be on its way, however long that takes', async () => {
    const tenant = newTenant()
    const { strays, open } = await everyKind(tenant)
    await userOf(tenant)('grantCredentials', { id: open.id })
    const admin = adminOf(tenant)
    const find = async () =>
      (await orphansOf(admin)).filter(({ ossUploadId: id }) => id === strays.beside.id || id === strays.direct.id)
    await endGrants('4 hours')
    const late = await find()
    expect(late.map(({ actions }) => actions)).toEqual([[], []])
    for (const dryRun of [true, false]) {
      expect(outcomes(await resolve(admin, 'abort', late, dryRun))).toEqual([
        ['left', 'active'],
        ['left', 'active'],
      ])
    }
    await endGrants('4 hours 6 minutes')
    expect((await find()).map(({ actions }) => actions)).toEqual([['abort'], ['abort']])
    expect(outcomes(await resolve(admin, 'abort', late))).toEqual([
      ['aborted', 'done'],
      ['aborted', 'done'],
    ])
  })

  it('is not done to credentials’ other folders: one that only begins alike is none', async () => {
    const tenant = newTenant()
    const key = `direct/${tenant}/alice/a`
    await begin(key, [1])
    await createApi(
      app().url,
      app().token({ tenant, subject: 'al', scopes: ['credentials:direct'] }),
    )('grantDirectCredentials')
    const [orphan] = await orphansOf(adminOf(tenant))
    expect([orphan?.credentialsAliveUntil, orphan?.actions]).toEqual([null, ['abort']])
  })

  it('is not done to what began, or whose newest part came, less than an hour ago: somebody is at it', async () => {
    const tenant = newTenant()
    const key = (name: string) => `uploads/${tenant}/x/${name}`
    const hour = 3_600_000
    const put = async (name: string, partSizes: number[], agoMs: number) =>
      beginOutside(app().cloud, key(name), partSizes, undefined, agoMs)
    await put('a-bare-old', [], hour + 60_000)
    await put('b-bare-young', [], hour - 60_000)
    await put('c-old', [1, 2], hour + 60_000)
    const growing = await put('d-growing', [1, 2, 3], 20 * hour)
    await putOutside(app().cloud, key('d-growing'), growing, 2, 5, undefined, hour - 60_000)
    await beginOutside(app().cloud, `direct/${tenant}/alice/young`, [1])
    const admin = adminOf(tenant)
    const found = await orphansOf(admin)
    const mayAbort = found.map(({ actions }) => actions.includes('abort'))
    expect(mayAbort).toEqual([true, false, true, false, false])
    const expected = mayAbort.map((may) => (may ? ['aborted', 'done'] : ['left', 'active']))
    expect(outcomes(await resolve(admin, 'abort', found, true))).toEqual(expected)
    expect(outcomes(await resolve(admin, 'abort', found))).toEqual(expected)
    expect(await isThere(app().cloud, key('d-growing'), growing)).toBe(true)
  })

  it('asks for credentials after all else: those handed out meanwhile count', async () => {
    const tenant = newTenant()
    const key = `direct/${tenant}/alice/a`
    const id = await begin(key, [1])
    const orphans = await orphansOf(adminOf(tenant))
    const { listParts } = app().deps.objects
    const objects: Deps['objects'] = {
      ...app().deps.objects,
      listParts: async (...of) => {
        const parts = await listParts(...of)
        await userOf(tenant)('grantDirectCredentials')
        return parts
      },
      close: async () => {},
    }
    const slow = await startTestApp({ beside: app(), deps: { objects } })
    try {
      expect(outcomes(await resolve(adminOf(tenant, slow), 'abort', orphans))).toEqual([['left', 'credential-alive']])
      expect(await isThere(app().cloud, key, id)).toBe(true)
    } finally {
      await slow.close()
    }
  })

  it('is not done while the age of a part cannot be read, whichever it is', async () => {
    const tenant = newTenant()
    const key = `uploads/${tenant}/x/a`
    const id = await begin(key, [1, 2, 3])
    const orphans = await orphansOf(adminOf(tenant))
    for (const unreadable of [1, 2, 3]) {
      const objects: Deps['objects'] = {
        ...app().deps.objects,
        listParts: async (...of) => {
          const page = await app().deps.objects.listParts(...of)
          const parts = page?.parts.map((part) =>
            part.partNumber === unreadable ? { ...part, lastModified: 'some day' } : part,
          )
          return page && { ...page, parts: parts ?? [] }
        },
        close: async () => {},
      }
      const odd = await startTestApp({ beside: app(), deps: { objects } })
      const resolved = await resolve(adminOf(tenant, odd), 'abort', orphans).finally(() => odd.close())
      expect([unreadable, outcomes(resolved)]).toEqual([unreadable, [['left', 'active']]])
    }
    expect(await isThere(app().cloud, key, id)).toBe(true)
  })

  it('stops between two rounds when credentials were handed out meanwhile, and is told as not done', async () => {
    const tenant = newTenant()
    await begin(`direct/${tenant}/alice/a`, [1])
    const orphans = await orphansOf(adminOf(tenant))
    let rounds = 0
    const objects: Deps['objects'] = {
      ...app().deps.objects,
      abortUpload: async () => {
        rounds++
        await userOf(tenant)('grantDirectCredentials')
        return 'aborted'
      },
      close: async () => {},
    }
    const slow = await startTestApp({ beside: app(), deps: { objects } })
    const resolved = await resolve(adminOf(tenant, slow), 'abort', orphans).finally(() => slow.close())
    expect([rounds, outcomes(resolved)]).toEqual([1, [['failed', 'credential-alive']]])
  })

  it('that takes longer than a request should is told as such, and goes on', async () => {
    const tenant = newTenant()
    for (const name of ['a', 'b']) await begin(`uploads/${tenant}/x/${name}`, [1])
    const [slow, quick] = await orphansOf(adminOf(tenant))
    let release = (): void => {}
    const stuck = new Promise<void>((done) => {
      release = done
    })
    const { listParts } = app().deps.objects
    const objects: Deps['objects'] = {
      ...app().deps.objects,
      listParts: async (key, ...rest) => {
        if (key === slow?.key) await stuck
        return listParts(key, ...rest)
      },
    }
    const boss = { tenant, subject: 'boss', scopes: new Set(['admin']) } as unknown as Principal
    const input = { body: { action: 'abort', ids: [slow?.id, quick?.id] } } as unknown as Parameters<
      typeof resolveOrphans
    >[2]
    const { body } = await resolveOrphans({ ...app().deps, objects }, boss, input, app().deps, 1_000)
    expect(outcomes(body.orphans)).toEqual([
      ['failed', 'not-in-time'],
      ['aborted', 'done'],
    ])
    release()
    await until(async () => !(await isThere(app().cloud, slow?.key ?? '', slow?.ossUploadId ?? '')))
  })

  it('is told of one that fails, and done with the others', async () => {
    const tenant = newTenant()
    for (const name of ['a', 'b', 'c']) await begin(`uploads/${tenant}/x/${name}`, [1])
    const admin = adminOf(tenant)
    const found = await orphansOf(admin)
    const effect = { kind: 'answer', status: 503, code: 'ServiceUnavailable' } as const
    const key = found[1]?.key ?? ''
    app().cloud.faults.add({ match: { verb: 'AbortMultipartUpload', key }, effect })
    expect(outcomes(await resolve(admin, 'abort', found))).toEqual([
      ['aborted', 'done'],
      ['failed', 'storage-unavailable'],
      ['aborted', 'done'],
    ])
    app().cloud.faults.clear()
    app().cloud.faults.add({ match: { verb: 'ListParts', key }, effect })
    expect((await admin('listOrphans')).body).toMatchObject({ orphans: [], unanswered: 1 })
    app().cloud.faults.clear()
    expect((await orphansOf(admin)).map((one) => one.key)).toEqual([key])
  })
})

describe('closing orphans', () => {
  it('makes their rows say what OSS says', async () => {
    const tenant = newTenant()
    const { lost, outside } = await everyKind(tenant)
    const admin = adminOf(tenant)
    const gone = (await orphansOf(admin)).filter(({ kind }) => kind === 'lost' || kind === 'completed-outside')
    expect(outcomes(await resolve(admin, 'close', gone))).toEqual(gone.map(() => ['closed', 'done']))
    const [api, state] = [userOf(tenant), (reply: ApiReply) => [reply.body.upload.state, reply.body.upload.abortReason]]
    expect(state(await api('getUpload', { id: lost.id }))).toEqual(['aborted', 'upload-gone'])
    expect(state(await api('getUpload', { id: outside.id }))).toEqual(['completed', null])
    expect(await readObject(app().cloud, outside.key)).toEqual(outside.bytes)
    expect(outcomes(await resolve(admin, 'close', gone))).toEqual(gone.map(() => ['left', 'not-an-orphan']))
  })

  it('takes another’s object under the key for no upload of ours', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    await abortOutside(app().cloud, upload.key, upload.uploadId)
    await putForeignObject(app().cloud, upload.key, Buffer.from('theirs'))
    const [orphan] = await orphansOf(adminOf(tenant))
    expect([orphan?.kind, orphan?.storedBytes]).toEqual(['lost', null])
    await resolve(adminOf(tenant), 'close', orphan ? [orphan] : [])
    expect((await userOf(tenant)('getUpload', { id: upload.id })).body.upload.abortReason).toBe('key-taken')
    expect(String(await readObject(app().cloud, upload.key))).toBe('theirs')
  })

  it('deletes no object that it did not complete itself, not even one of other parts than were agreed', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    await putOutside(app().cloud, upload.key, upload.uploadId, 2, 9)
    await completeOutside(app().cloud, upload.key, upload.uploadId)
    await endGrants()
    const admin = adminOf(tenant)
    const found = await orphansOf(admin)
    expect(found.map(({ kind, storedBytes }) => [kind, storedBytes])).toEqual([['completed-outside', MiB + 9]])
    const closed = { outcome: 'closed', reason: 'done', closedAs: 'integrity', uploadId: upload.id }
    expect(await resolve(admin, 'close', found, true)).toEqual([{ id: found[0]?.id, ...closed }])
    expect(await resolve(admin, 'close', found)).toEqual([{ id: found[0]?.id, ...closed }])
    expect((await userOf(tenant)('getUpload', { id: upload.id })).body.upload).toMatchObject({
      state: 'aborted',
      abortReason: 'integrity',
    })
    const eventsLeft = async () =>
      (await admin('getAdminUpload', { id: upload.id })).body.events.filter(
        ({ kind }: { kind: string }) => kind === 'object-left',
      )
    // Not the size that was agreed: the object's, which is billed.
    const detail = { bucket: upload.bucket, key: upload.key, reason: 'integrity', sizeBytes: MiB + 9 }
    expect(await eventsLeft()).toMatchObject([{ detail }])
    await sql().$executeRaw`UPDATE uploads SET due_at = now() WHERE id = ${upload.id}`
    await recoverUploads(app().deps)
    expect(await readObject(app().cloud, upload.key)).toHaveLength(MiB + 9)
    expect(await eventsLeft()).toHaveLength(1)
    expect((await admin('listEvents')).body.events).toMatchObject([{ kind: 'object-left', tenant, detail }])
    expect(app().logLines.filter((line) => line.includes(upload.id) && line.includes('it is left'))).toHaveLength(1)
  })

  it('says beforehand as what: completed, or why its row is aborted', async () => {
    const tenant = newTenant()
    const [whole, gone, taken] = [await sent(tenant), await sent(tenant), await sent(tenant)]
    await completeOutside(app().cloud, whole.key, whole.uploadId)
    for (const { key, uploadId } of [gone, taken]) await abortOutside(app().cloud, key, uploadId)
    await putForeignObject(app().cloud, taken.key, Buffer.from('theirs'))
    const found = await orphansOf(adminOf(tenant))
    const closedAs = async (dryRun: boolean) =>
      Object.fromEntries(
        (await resolve(adminOf(tenant), 'close', found, dryRun)).map((one) => [one.uploadId, one.closedAs]),
      )
    const expected = { [whole.id]: 'completed', [gone.id]: 'upload-gone', [taken.id]: 'key-taken' }
    expect(await closedAs(true)).toEqual(expected)
    expect(await closedAs(false)).toEqual(expected)
  })

  it('waits for the end of credentials, whose holder may have begun anew under the key', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    const credentials = (await userOf(tenant)('grantCredentials', { id: upload.id })).body
    await abortOutside(app().cloud, upload.key, upload.uploadId)
    const anew = await begin(upload.key, [9], credentials)
    const admin = adminOf(tenant)
    const lost = await orphansOf(admin, { kind: 'lost' })
    expect(lost.map(({ actions }) => actions)).toEqual([[]])
    expect(outcomes(await resolve(admin, 'close', lost))).toEqual([['left', 'credential-alive']])
    expect(await isThere(app().cloud, upload.key, anew)).toBe(true)
    await endGrants()
    expect(outcomes(await resolve(admin, 'close', lost))).toEqual([['closed', 'done']])
  })

  it('is no answer to what is there', async () => {
    const tenant = newTenant()
    const upload = await sent(tenant)
    await abortOutside(app().cloud, upload.key, upload.uploadId)
    const lost = await orphansOf(adminOf(tenant))
    await userOf(tenant)('abortUpload', { id: upload.id })
    expect(outcomes(await resolve(adminOf(tenant), 'close', lost))).toEqual([['left', 'not-an-orphan']])
    const { strays } = await everyKind(tenant)
    const found = (await orphansOf(adminOf(tenant))).filter((one) => one.ossUploadId === strays.plain.id)
    expect(outcomes(await resolve(adminOf(tenant), 'close', found))).toEqual([['left', 'wrong-action']])
  })
})

describe('a dry run', () => {
  /** All rows, and all that is in the bucket. */
  async function everything(): Promise<string> {
    const tables = ['uploads', 'upload_parts', 'events', 'tenant_usage', 'credential_grants']
    const rows = await Promise.all(
      tables.map((name) => sql().$queryRawUnsafe(`SELECT row::text FROM ${name} AS row ORDER BY 1`)),
    )
    const { uploads } = await app().deps.objects.listUploads('', { after: null, limit: 1000 })
    const parts = await Promise.all(
      uploads.map(({ key, ossUploadId }) => app().deps.objects.listParts(key, ossUploadId, { after: 0, limit: 1000 })),
    )
    return JSON.stringify([rows, uploads, parts])
  }

  it.each(['adopt', 'abort', 'close'])('of %s says what would be done, and changes nothing', async (action) => {
    const tenant = newTenant()
    await everyKind(tenant)
    await endGrants()
    const admin = adminOf(tenant)
    const found = await orphansOf(admin)
    const before = await everything()
    const planned = await resolve(admin, action, found, true)
    expect(await everything()).toBe(before)
    expect(new Set(planned.map(({ reason }) => reason))).toContain('done')
    const really = await resolve(admin, action, found)
    expect(outcomes(really)).toEqual(outcomes(planned))
    expect(await everything()).not.toBe(before)
  })
})
