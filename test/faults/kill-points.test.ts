import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CrashPoint, crashPoints } from '../../server/crash-points.ts'
import { createApi, createFor, sendParts, someBytes } from '../support/api.ts'
import type { Child } from '../support/child.ts'
import { createWorld, type Service, sha256OfObject, untilQuiet, type World, writeRandomFile } from './world.ts'

/* At each crash point the server that serves a request dies. Another one is alive beside it, as behind a balancer; the client's same
 * command must finish what was begun, and nothing may be left behind. */

let world: World
let healthy: Service

beforeAll(async () => {
  world = await createWorld()
  healthy = await world.server()
  await healthy.start()
})
afterAll(() => world.close())

const killed = { code: null, signal: 'SIGKILL' }
const fileSizes: Record<string, number> = { 'an empty file': 0, 'five parts': 5 * 1_048_576 - 3 }
const pointsOf = (use: string) => crashPoints.filter((point) => point.startsWith(`${use}: `))

async function runUntilDone(run: () => Child): Promise<Child> {
  for (let attempt = 1; ; attempt++) {
    const client = run()
    const { code } = await client.ended
    if (code === 0) return client
    if (attempt === 5) throw new Error(`still failing:\n${client.stdout()}\n${client.stderr()}`)
    await delay(200)
  }
}

async function killedAt(point: CrashPoint): Promise<Service> {
  const server = await world.server(point)
  await server.start()
  return server
}

describe.concurrent.each([...pointsOf('create'), ...pointsOf('complete')])('a server killed at "%s"', (point) => {
  it.concurrent.each(Object.keys(fileSizes))('costs an upload of %s nothing', async (kind) => {
    const sizeBytes = fileSizes[kind] ?? 0
    // An empty file has no multipart upload to be initiated or stored.
    const isReached =
      sizeBytes > 0 || !['create: multipart upload initiated', 'create: upload id stored'].includes(point)
    const dying = await killedAt(point)
    const balancer = await world.balance([dying, healthy])
    // A subject of its own: to the server, two empty files of one owner are the same file.
    const subject = `${point}-${sizeBytes}`.replace(/\W+/g, '-')
    const file = join(world.directory, subject)
    const sha256 = await writeRandomFile(file, sizeBytes)

    const args = ['upload', file, '--json', '--part-size', '1MiB', '--record-dir', `${file}.records`]
    const client = await runUntilDone(() => world.client(balancer, args, subject))

    if (isReached) expect(await dying.ended(), dying.output()).toEqual(killed)
    const result = JSON.parse(client.stdout().trim().split('\n').at(-1) ?? '')
    expect(await sha256OfObject(world, result.key)).toBe(sha256)
    const { rows } = await world.db.query('SELECT id, state FROM uploads WHERE subject = $1', [subject])
    expect(rows).toEqual([{ id: result.id, state: 'completed' }])
  })
})

describe.concurrent.each(pointsOf('abort'))('a server killed at "%s"', (point) => {
  it('leaves an upload that is aborted all the same', async () => {
    const dying = await killedAt(point)
    const balancer = await world.balance([dying, healthy])
    const api = createApi(`http://127.0.0.1:${healthy.port}`, world.token('alice'))
    const bytes = someBytes(3 * 1_048_576)
    const upload = await createFor(api, bytes)
    await sendParts(api, upload, bytes, [2])

    await runUntilDone(() => world.client(balancer, ['abort', upload.id], 'alice'))

    expect(await dying.ended(), dying.output()).toEqual(killed)
    for (;;) {
      const { body } = await api('getUpload', { id: upload.id })
      if (body.upload.state === 'aborted') break
      await delay(500)
    }
    expect(await world.openMultipartUploads()).not.toContain(upload.uploadId)
  })
})

describe('after all of it', () => {
  it('no row is stuck and no multipart upload is left', async () => {
    await untilQuiet(world)
    expect(await world.openMultipartUploads()).toEqual([])
    const { rows } = await world.db.query('SELECT count(*)::int AS parts FROM upload_parts')
    expect(rows).toEqual([{ parts: 0 }])
  })
})
