import { createHash } from 'node:crypto'
import { crc64 } from '@partway/client/contract'
import { expect, test } from 'vitest'
import { createPartHashers, plainHasher } from '../../client-sdk/browser/part-hasher.ts'

const bytes = Uint8Array.from({ length: 300_007 }, (_, index) => (index * index) % 251)
const md5OfNothing = createHash('md5').digest('base64')
const expected = { md5: createHash('md5').update(bytes).digest('base64'), crc64: crc64(bytes) }

test('a hasher by WebAssembly and one by plain JavaScript come to the same, however the bytes are cut', async () => {
  for (const hasher of [await createPartHashers().take(), plainHasher()]) {
    for (const cut of [1, 63, 64, 65, 150_000]) {
      hasher.begin()
      hasher.update(bytes.subarray(0, cut))
      hasher.update(bytes.subarray(cut))
      expect(hasher.digest()).toEqual(expected)
      hasher.begin(false)
      hasher.update(bytes.subarray(0, cut))
      hasher.update(bytes.subarray(cut))
      expect(hasher.digest()).toEqual({ md5: md5OfNothing, crc64: expected.crc64 })
    }
  }
})

test('a hasher that was used begins anew', async () => {
  const hashers = createPartHashers()
  const first = await hashers.take()
  first.update(bytes)
  hashers.give(first)
  const second = await hashers.take()
  expect(second).toBe(first)
  second.update(bytes)
  expect(second.digest()).toEqual(expected)
})

test('only four hashers are there at once, and who comes first is served first', async () => {
  const hashers = createPartHashers()
  const taken = await Promise.all([hashers.take(), hashers.take(), hashers.take(), hashers.take()])
  expect(new Set(taken).size).toBe(4)
  const served: string[] = []
  const waiting = ['fifth', 'sixth'].map((name) => hashers.take().then((hasher) => served.push(name) && hasher))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(served).toEqual([])
  if (taken[2]) hashers.give(taken[2])
  expect(await waiting[0]).toBe(taken[2])
  expect(served).toEqual(['fifth'])
  if (taken[0]) hashers.give(taken[0])
  await waiting[1]
  expect(served).toEqual(['fifth', 'sixth'])
})

test('whoever is told to stop while waiting for a hasher stops at once, and takes none', async () => {
  const hashers = createPartHashers()
  const taken = await Promise.all([hashers.take(), hashers.take(), hashers.take(), hashers.take()])
  const controller = new AbortController()
  const stopped = expect(hashers.take(controller.signal)).rejects.toThrow('stop')
  const next = hashers.take()
  controller.abort(new Error('stop'))
  await stopped
  if (taken[0]) hashers.give(taken[0])
  expect(await next).toBe(taken[0])
  await expect(hashers.take(controller.signal)).rejects.toThrow('stop')
})
