import { describe, expect, it } from 'vitest'
import { keySegment } from '../../server/uploads/object-key.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { sweepStale } from '../../server/uploads/sweep-stale.ts'
import { createFor, MiB, someBytes } from '../support/api.ts'
import { startTestApp } from '../support/app.ts'
import { orphansOf, outcomes, resolve, setUpOrphans } from '../support/orphans.ts'
import { isThere, putOutside } from '../support/strays.ts'

/* Orphans that are given a row. */

const { app, newTenant, adminOf, userOf, begin, sql, everyKind } = setUpOrphans()

describe('adopting orphans', () => {
  const rowOf = async (id: string | null | undefined) =>
    (await sql().$queryRaw<Record<string, unknown>[]>`SELECT * FROM uploads WHERE id = ${id}`)[0]

  it('gives them rows that are counted, and swept like others', async () => {
    const tenant = newTenant()
    const key = `uploads/${tenant}/x/film?.mp4`
    const ossUploadId = await begin(key, [MiB, MiB, 10])
    const admin = adminOf(tenant)
    const [resolved] = await resolve(admin, 'adopt', await orphansOf(admin))
    expect(resolved).toMatchObject({ outcome: 'adopted', reason: 'done' })
    const id = resolved?.uploadId ?? ''
    expect(await rowOf(id)).toMatchObject({
      tenant,
      subject: 'adopted',
      state: 'uploading',
      file_name: 'film_.mp4',
      key,
      oss_upload_id: ossUploadId,
      size_bytes: BigInt(2 * MiB + 10),
      part_size_bytes: BigInt(MiB),
      stored_bytes: BigInt(2 * MiB + 10),
      adopted_at: expect.any(Date),
      reconciled_at: expect.any(Date),
      grants_alive_until: null,
    })
    const usage = await sql().$queryRaw<object[]>`
      SELECT open_uploads, bytes_in_flight FROM tenant_usage WHERE tenant = ${tenant}`
    expect(usage).toEqual([{ open_uploads: 1n, bytes_in_flight: BigInt(2 * MiB + 10) }])
    expect(await orphansOf(admin)).toEqual([])
    await sweepStale(app().deps)
    expect(await rowOf(id)).toMatchObject({ state: 'uploading' })
    await sql().$executeRaw`UPDATE uploads SET last_activity_at = now() - interval '2 days' WHERE id = ${id}`
    await sweepStale(app().deps)
    expect(await rowOf(id)).toMatchObject({ state: 'aborted', abort_reason: 'expired' })
    expect(await isThere(app().cloud, key, ossUploadId)).toBe(false)
  })

  it('leaves one alone that goes on growing, and counts what it holds', async () => {
    const tenant = newTenant()
    const key = `uploads/${tenant}/x/slow`
    const ossUploadId = await begin(key, [MiB])
    const [resolved] = await resolve(adminOf(tenant), 'adopt', await orphansOf(adminOf(tenant)))
    const id = resolved?.uploadId ?? ''
    for (let partNumber = 2; partNumber <= 4; partNumber++) {
      await sql().$executeRaw`UPDATE uploads SET last_activity_at = now() - interval '25 hours' WHERE id = ${id}`
      await putOutside(app().cloud, key, ossUploadId, partNumber, MiB)
      await sweepStale(app().deps)
      const bytes = BigInt(partNumber * MiB)
      expect(await rowOf(id)).toMatchObject({ state: 'uploading', stored_bytes: bytes, size_bytes: bytes })
      const usage = await sql().$queryRaw<object[]>`SELECT bytes_in_flight FROM tenant_usage WHERE tenant = ${tenant}`
      expect(usage).toEqual([{ bytes_in_flight: bytes }])
    }
    await putOutside(app().cloud, key, ossUploadId, 5, MiB)
    const { body } = await adminOf(tenant)('abortUploads', { body: { ids: [id] } })
    expect(body.uploads).toMatchObject([{ outcome: 'left', reason: 'growing' }])
    expect(await isThere(app().cloud, key, ossUploadId)).toBe(true)
  })

  it('ends with it no other upload of its key: that is somebody else’s', async () => {
    const tenant = newTenant()
    const key = `uploads/${tenant}/x/again`
    const old = await begin(key, [9])
    const [resolved] = await resolve(adminOf(tenant), 'adopt', await orphansOf(adminOf(tenant)))
    const id = resolved?.uploadId ?? ''
    const anew = await begin(key, [10])
    await sql().$executeRaw`UPDATE uploads SET last_activity_at = now() - interval '25 hours' WHERE id = ${id}`
    await sweepStale(app().deps)
    expect(await rowOf(id)).toMatchObject({ state: 'aborted' })
    await sql().$executeRaw`UPDATE uploads SET due_at = now() - interval '1 second' WHERE id = ${id}`
    await recoverUploads(app().deps)
    expect(await rowOf(id)).toMatchObject({ state: 'aborted', due_at: null })
    expect([await isThere(app().cloud, key, old), await isThere(app().cloud, key, anew)]).toEqual([false, true])
  })

  it('makes one row, however many administrators ask on however many instances', async () => {
    const tenant = newTenant()
    await begin(`uploads/${tenant}/x/a`, [9])
    const second = await startTestApp({ beside: app() })
    try {
      const orphans = await orphansOf(adminOf(tenant))
      const admins = [app(), second, app(), second].map((on) => adminOf(tenant, on))
      const answers = (await Promise.all(admins.map((admin) => resolve(admin, 'adopt', orphans)))).flat()
      expect(outcomes(answers)).toEqual(admins.map(() => ['adopted', 'done']))
      expect(new Set(answers.map(({ uploadId }) => uploadId)).size).toBe(1)
      expect(await sql().$queryRaw`SELECT count(*)::int FROM uploads WHERE tenant = ${tenant}`).toEqual([{ count: 1 }])
      expect((await resolve(adminOf(tenant), 'adopt', orphans))[0]?.uploadId).toBe(answers[0]?.uploadId)
    } finally {
      await second.close()
    }
  })

  it('makes one row of several uploads of one key', async () => {
    const tenant = newTenant()
    for (let n = 0; n < 3; n++) await begin(`uploads/${tenant}/x/a`, [9])
    const answers = await resolve(adminOf(tenant), 'adopt', await orphansOf(adminOf(tenant)))
    expect(outcomes(answers).sort()).toEqual([
      ['adopted', 'done'],
      ['left', 'wrong-action'],
      ['left', 'wrong-action'],
    ])
  })

  it('finds the owner in the key, by the hash of a known tenant, or not at all', async () => {
    const tenant = `${newTenant()} with blanks`
    const [known, unknown] = [keySegment(tenant), keySegment('never seen')]
    await createFor(userOf(tenant), someBytes(1))
    const keys = [`uploads/${known}/x/a`, `uploads/${unknown}/x/b`, 'uploads/no-folder', `uploads/${known}x/y`]
    for (const key of keys) await begin(key, [1])
    const operator = adminOf('*')
    const found = (await orphansOf(operator, { kind: 'untracked' })).filter(({ key }) => keys.includes(key))
    const answers = await resolve(operator, 'adopt', found)
    const told = answers.map(({ outcome, reason }, index) => [found[index]?.key, outcome, reason])
    expect(told.sort()).toEqual(
      [
        [keys[0], 'adopted', 'done'],
        [keys[1], 'left', 'unknown-owner'],
        [keys[2], 'left', 'unknown-owner'],
        [keys[3], 'left', 'unknown-owner'],
      ].sort(),
    )
    expect(await rowOf(answers.find(({ uploadId }) => uploadId)?.uploadId)).toMatchObject({ tenant })
    const [left] = await orphansOf(adminOf('never seen'))
    expect(left && outcomes(await resolve(adminOf('never seen'), 'adopt', [left]))).toEqual([['adopted', 'done']])
  })

  it('is for strays with parts below KEY_PREFIX alone', async () => {
    const tenant = newTenant()
    const { strays, lost } = await everyKind(tenant)
    const found = await orphansOf(adminOf(tenant))
    const answers = await resolve(adminOf(tenant), 'adopt', found)
    const reason = (id: string) => answers[found.findIndex((one) => one.ossUploadId === id)]?.reason
    expect(Object.values(strays).map(({ id }) => reason(id))).toEqual([
      'done',
      'no-parts',
      'wrong-action',
      'wrong-action',
      'wrong-action',
      'wrong-action',
    ])
    expect(reason(lost.uploadId)).toBe('wrong-action')
  })
})
