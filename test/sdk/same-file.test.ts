import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RecordStore, UploadNews, UploadTask, UploadTaskState } from '@partway/client/node'
import { createMemoryLocks, createMemoryRecordStore, openFileSource } from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, type UploadBench, until } from './upload-bench.ts'

let bench: UploadBench
beforeAll(async () => {
  bench = await startUploadBench()
})
beforeEach(() => {
  bench.app.cloud.faults.clear()
  bench.app.cloud.requests.reset()
})
afterAll(() => bench.close())

const sizeBytes = 5 * MiB + 9
const options = { partSizeBytes: MiB, parallel: 2 }

/** Two tasks of one client on one file, the second waiting for the first, which is slow. */
async function startTwo(path: string, recordStore?: RecordStore, delayMs = 60) {
  bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs } })
  const first = bench.client.upload(path, { ...options, recordStore })
  await until(() => first.id !== undefined, 'the first upload was begun')
  const states: UploadTaskState[] = []
  const second = bench.client.upload(path, { ...options, recordStore, onStateChange: (state) => states.push(state) })
  await until(() => second.state === 'waiting', 'the second waited')
  return { first, second, states }
}

const parts = () => bench.app.cloud.requests.count('UploadPart')

describe('the same file twice at once', () => {
  it('is sent once, shown twice, and both tasks end with the one object', async () => {
    const path = await bench.file(sizeBytes)
    const { first, second, states } = await startTwo(path)
    await until(() => second.progress.currentBytes > 0, 'the second showed how far the first is')
    const [one, two] = await Promise.all([first.done, second.done])
    expect(two).toMatchObject({ id: one.id, key: one.key, crc64: one.crc64, sentBytes: 0 })
    expect(parts()).toBe(6)
    expect(states[0]).toBe('waiting')
    expect(await bench.objectSha256(one.key)).toBe(await sha256OfFile(path))
  })

  it('is gone on with by the second when the first stops and leaves its parts', async () => {
    const path = await bench.file(sizeBytes)
    bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 60 } })
    const first = bench.client.upload(path, { ...options, deleteUploadOnCancelling: false })
    await until(() => first.progress.currentBytes > 2 * MiB, 'two parts were sent')
    const second = bench.client.upload(path, options)
    await until(() => second.state === 'waiting', 'the second waited')
    await first.cancel()
    const result = await second.done
    expect(result.id).toBe(first.id)
    expect(result.sentBytes).toBeLessThan(sizeBytes)
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
  })

  it('ends for both when the first is cancelled for good', async () => {
    // Slow enough that the cancel comes before the end on any machine.
    const { first, second } = await startTwo(await bench.file(sizeBytes), undefined, 3000)
    await until(() => second.progress.currentBytes > 0, 'the second heard of the first')
    await first.cancel()
    await expect(second.done).rejects.toMatchObject({ code: 'upload-ended' })
    expect(bench.app.cloud.requests.count('InitiateMultipartUpload')).toBe(1)
  })

  it('lets the second go while it waits, and the first keeps its parts and its record', async () => {
    const { first, second } = await startTwo(await bench.file(sizeBytes), createMemoryRecordStore())
    await second.cancel()
    await expect(second.done).rejects.toMatchObject({ code: 'cancelled' })
    expect((await first.done).sizeBytes).toBe(sizeBytes)
    expect(bench.app.cloud.requests.count('AbortMultipartUpload')).toBe(0)
  })

  it('waits for nobody whose source could not be closed', async () => {
    const path = await bench.file(sizeBytes)
    const client = bench.clientWith({
      ports: {
        openSource: async () => ({ ...(await openFileSource(path)), close: () => Promise.reject(new Error('EIO')) }),
      },
    })
    const first = await client.upload(path, options).done
    const second = await client.upload(path, options).done
    expect(second.key).not.toBe(first.key)
  })
})

it('equal files under different names get an object each', async () => {
  const path = await bench.file(sizeBytes)
  const copies = await Promise.all(
    [1, 2, 3].map(async (number) => {
      const copy = join(bench.directory, `copy-${number}.bin`)
      await copyFile(path, copy)
      return copy
    }),
  )
  const tasks: UploadTask[] = copies.map((copy) => bench.client.upload(copy, options))
  const results = await Promise.all(tasks.map((task) => task.done))
  expect(new Set(results.map((result) => result.key)).size).toBe(3)
  for (const { key } of results) expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
})

describe('locks in memory', () => {
  const never = new AbortController().signal

  it('go to those who wait in their order, and past those who left', async () => {
    const locks = createMemoryLocks()
    const first = await locks.acquire('a', never, () => expect.unreachable())
    const leaver = new AbortController()
    const order: string[] = []
    const left = locks.acquire('a', leaver.signal, () => order.push('second waits'))
    const third = locks.acquire('a', never, () => order.push('third waits'))
    expect(await locks.tryAcquire('a')).toBeUndefined()
    leaver.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    first()
    first()
    ;(await third)()
    expect(order).toEqual(['second waits', 'third waits'])
    const again = await locks.tryAcquire('a')
    expect(again).toBeTypeOf('function')
  })

  it('carry news to those who listen, and to nobody else', () => {
    const locks = createMemoryLocks()
    const heard: string[] = []
    const news: UploadNews = { id: 'x', currentBytes: 1, totalBytes: 2, bytesPerSecond: 3, etaSeconds: null }
    const forget = locks.listen('a', ({ id }) => heard.push(id))
    locks.tell('a', news)
    locks.tell('b', news)
    forget()
    locks.tell('a', news)
    expect(heard).toEqual(['x'])
  })
})
