import { afterAll, beforeAll, expect, it } from 'vitest'
import { crc64Of, createApi, createFor, MiB, sendParts, sha256Of, someBytes } from '../support/api.ts'
import { createWorld, sha256OfObject, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

it('joins the parts once and answers equally, asked 50 times at once over two server processes', async () => {
  const servers = [await world.server(), await world.server()]
  await Promise.all(servers.map((server) => server.start()))
  const apis = servers.map((server) => createApi(`http://127.0.0.1:${server.port}`, world.token('alice')))
  const [api] = apis
  if (!api) throw new Error('two servers have two APIs')
  const bytes = someBytes(3 * MiB + 7)
  const upload = await createFor(api, bytes)
  await sendParts(api, upload, bytes)
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      (apis[index % 2] ?? api)('completeUpload', { id: upload.id, body: { crc64: crc64Of(bytes) } }),
    ),
  )
  expect(replies.map((reply) => reply.status)).toEqual(Array(50).fill(200))
  expect(new Set(replies.map((reply) => JSON.stringify(reply.body.upload))).size).toBe(1)
  expect(await world.ossRequests('CompleteMultipartUpload')).toBe(1)
  expect(await sha256OfObject(world, upload.key)).toBe(sha256Of(bytes))
})
