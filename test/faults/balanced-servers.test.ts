import { join } from 'node:path'
import { createDirectoryRecordStore, createUploadClient } from '@partway/client/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { createWorld, type Service, sha256OfObject, untilQuiet, type World, writeRandomFile } from './world.ts'

/* Two servers on one database behind a balancer that gives each connection to the next of them. */

const MiB = 1_048_576
const uploadCount = 20

let world: World
let servers: [Service, Service]

beforeAll(async () => {
  world = await createWorld({ bytesPerSecond: 12 * MiB })
  servers = [await world.server(), await world.server()]
  await Promise.all(servers.map((server) => server.start()))
})
afterAll(() => world.close())

it('of two servers one is killed in the middle of 20 uploads: all finish with equal hashes, and nobody helps', async () => {
  const balancer = await world.balance(servers, true)
  const client = createUploadClient({
    baseUrl: `http://127.0.0.1:${balancer.port}`,
    token: () => world.token('alice'),
  })
  const recordStore = createDirectoryRecordStore(join(world.directory, 'records'))
  const files = await Promise.all(
    Array.from({ length: uploadCount }, async (_, index) => {
      const sizeBytes = (index % 5) * MiB + 1 + index * 1000
      const path = join(world.directory, `file-${index}`)
      return { path, sizeBytes, sha256: await writeRandomFile(path, sizeBytes) }
    }),
  )
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)

  const done = Promise.all(
    files.map(({ path }) => client.upload(path, { partSizeBytes: MiB, parallel: 2, recordStore }).done),
  )
  done.catch(() => {})
  await until(async () => world.ossLine.sentBytes() > totalBytes / 3)
  const { rows } = await world.db.query(
    `SELECT count(*)::int AS open FROM uploads WHERE state NOT IN ('completed', 'aborted')`,
  )
  await servers[0].kill()
  expect(rows[0].open).toBeGreaterThan(uploadCount / 4)

  const results = await done
  for (const [index, { key, sizeBytes }] of results.entries()) {
    expect(sizeBytes).toBe(files[index]?.sizeBytes)
    expect(await sha256OfObject(world, key)).toBe(files[index]?.sha256)
  }
  expect((await servers[0].ended()).signal).toBe('SIGKILL')
  await untilQuiet(world)
  // An upload whose create was cut off may have been begun twice; what is left of it is the sweep's.
  const states = await world.db.query(`SELECT id FROM uploads WHERE state = 'completed'`)
  expect(states.rows.map(({ id }) => id).sort()).toEqual(results.map(({ id }) => id).sort())
})
