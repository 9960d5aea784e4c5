import type { Upload } from '@partway/client/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createApi, createFor, sendParts, someBytes } from '../support/api.ts'
import { until } from '../support/until.ts'
import { createWorld, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

it('a sweep that is killed in its middle is taken over when its leases have run out: each upload is aborted once', async () => {
  const often = { SWEEP_INTERVAL_SECONDS: '1' }
  const [dying, healthy] = [await world.server(undefined, often), await world.server(undefined, often)]
  await dying.start()
  const api = createApi(`http://127.0.0.1:${dying.port}`, world.token('alice'))
  const bytes = someBytes(100)
  const create = async () => {
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes)
    await api('getUpload', { id: upload.id, query: { reconcile: 'true' } })
    return upload
  }
  const uploads: Upload[] = []
  while (uploads.length < 120) uploads.push(...(await Promise.all(Array.from({ length: 12 }, create))))
  const stale = uploads.slice(0, 100).map(({ id }) => id)
  const live = uploads.slice(100).map(({ id }) => id)
  const rowsOf = async (ids: string[]) =>
    (await world.db.query('SELECT * FROM uploads WHERE id = ANY ($1) ORDER BY id', [ids])).rows
  const count = async (state: string) => (await rowsOf(stale)).filter((row) => row.state === state).length
  const liveBefore = await rowsOf(live)

  // Slow enough that the kill meets uploads at every step.
  await world.addFault({
    match: { verb: 'AbortMultipartUpload' },
    effect: { kind: 'delay', delayMs: 400, at: 'reply' },
  })
  await world.addFault({ match: { verb: 'ListParts' }, effect: { kind: 'delay', delayMs: 200 } })
  await world.db.query(
    `UPDATE uploads SET last_activity_at = now() - interval '2 days', grants_alive_until = now() - interval '2 days'
     WHERE id = ANY ($1)`,
    [stale],
  )
  await until(async () => (await count('aborted')) >= 10)
  await dying.kill()
  await healthy.start()
  const [held] = (
    await world.db.query(`SELECT count(*)::int AS rows FROM uploads WHERE id = ANY ($1) AND attempts > 0`, [stale])
  ).rows
  expect([await count('aborted'), held.rows]).not.toEqual([100, 0])

  await until(async () => (await count('aborted')) === 100)
  const answers = await world.ossAnswers()
  const aborts = answers['AbortMultipartUpload 204'] ?? 0
  // The answers that the dead one never read are counted apart.
  const unheard = answers['AbortMultipartUpload 0'] ?? 0
  expect([aborts <= 100, aborts + unheard >= 100]).toEqual([true, true])
  expect(await world.openMultipartUploads()).toHaveLength(live.length)
  const { rows: events } = await world.db.query(
    `SELECT upload_id FROM events WHERE upload_id = ANY ($1) AND detail->>'to' = 'aborted'`,
    [stale],
  )
  expect(events.map((event) => event.upload_id).sort()).toEqual([...stale].sort())
  expect(await rowsOf(live)).toEqual(liveBefore)
  const { rows: reports } = await world.db.query('SELECT finished_at FROM sweeps ORDER BY started_at')
  expect(reports.length).toBeGreaterThan(1)
})
