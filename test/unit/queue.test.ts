import { ClientException } from '@partway/client'
import {
  createUploadQueue,
  type QueueFile,
  type QueueItem,
  type QueueOptions,
  type QueueProgress,
} from '@partway/client/queue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createQueueWorld, GiB, type ImaginedFile, imagine, MiB, type QueueWorld } from './queue-world.ts'

type TestSource = ImaginedFile | { file: ImaginedFile }

let world: QueueWorld
beforeEach(() => {
  vi.useFakeTimers()
  world = createQueueWorld()
})
afterEach(() => {
  vi.useRealTimers()
})

const queueOf = (options: QueueOptions<TestSource> = {}) => createUploadQueue(world.client, options)
const statesOf = (items: Iterable<QueueItem<TestSource>>) => Array.from(items, (item) => item.state)
const only = (items: QueueItem<TestSource>[]): QueueItem<TestSource> => {
  const [item] = items
  if (!item) throw new Error('nothing was added')
  return item
}

describe('a queue', () => {
  it('stores all files, with never more parts in flight than allowed and a bounded number of files open', async () => {
    const queue = queueOf({ parallel: 4 })
    const items = queue.add([
      ...imagine(300, 'small', 1000),
      ...imagine(20, 'big', 60 * MiB),
      ...imagine(50, 'empty', 0),
    ])
    await world.pass(120_000)
    expect(new Set(statesOf(items))).toEqual(new Set(['completed']))
    expect(world.most.parts).toBe(4)
    expect(world.most.files).toBeLessThanOrEqual(20)
  })

  it('gives every place to big files when they are alone, one or many', async () => {
    for (const count of [1, 10]) {
      world = createQueueWorld()
      const queue = queueOf({ parallel: 6 })
      queue.add(imagine(count, 'big', GiB))
      await world.pass(2000)
      expect(world.now.parts).toBe(6)
      await queue.cancel()
    }
  })

  it('begins a small file behind ten of 10 GB within moments', async () => {
    const queue = queueOf({ parallel: 6 })
    queue.add(imagine(10, 'big', 10 * GiB))
    await world.pass(10_000)
    const atMs = 10_000
    const small = only(queue.add({ name: 'small', size: 5000 }))
    await world.pass(5000)
    expect(small.state).toBe('completed')
    // One round trip to begin; a part of a big file has 8 MiB, which take 1.7 s here, and six of them end one after the other.
    expect(world.firstAtMs('small', 'create') - atMs).toBeLessThanOrEqual(1)
    expect(world.firstAtMs('small', 'part') - atMs).toBeLessThanOrEqual(50 + 1728)
    await queue.cancel()
  })

  it('goes on with a big file while small ones never stop coming', async () => {
    const queue = queueOf({ parallel: 3 })
    const big = only(queue.add({ name: 'big', size: 100 * MiB }))
    let added = 0
    for (let turn = 0; turn < 400 && big.state !== 'completed'; turn++) {
      queue.add(imagine(20, `small-${turn}`, 1000))
      added += 20
      await world.pass(100)
    }
    // Alone it would take 5 rounds of 1.7 s; a third of the line is its own.
    expect(big.state).toBe('completed')
    expect(world.firstAtMs('big', 'complete')).toBeLessThan(13 * 1728 + 2000)
    const { files } = queue.progress
    expect(files.completed).toBeGreaterThan(200)
    expect(files.queued).toBeGreaterThan(0)
    expect(files.total).toBe(added + 1)
    await queue.cancel()
  })

  it('keeps the places busy with small files, whose uploads spend most of their time without a part', async () => {
    const queue = queueOf({ parallel: 4 })
    queue.add(imagine(400, 'small', 1000))
    const startedAtMs = Date.now()
    let isDone = false
    void queue.idle().then(() => {
      isDone = true
    })
    while (!isDone) await world.pass(50)
    // 400 parts by 4 places at a round trip of 50 ms each take 5 s at best; one file after the other in 4 lanes would take 15 s.
    expect(Date.now() - startedAtMs).toBeLessThan(6500)
  })

  it('asks nothing of files whose turn has not come', async () => {
    const upload = vi.fn(world.client.upload)
    const queue = createUploadQueue<TestSource>({ upload }, { parallel: 2 })
    queue.add(imagine(10_000, 'file', 1000))
    await world.pass(40)
    expect(upload).toHaveBeenCalledTimes(6)
    await queue.cancel()
    expect(upload).toHaveBeenCalledTimes(6)
    expect(queue.progress.files).toMatchObject({ cancelled: 10_000, total: 10_000 })
  })

  it('lets its caller hold the items before the first of them begins', async () => {
    const seen: string[] = []
    const queue = queueOf({ onItemChange: (item) => seen.push(item.state) })
    const item = only(queue.add({ name: 'a', size: 10 }))
    expect(seen).toEqual([])
    expect(item.state).toBe('queued')
    await world.pass(1000)
    expect(seen[0]).toBe('preparing')
    expect(seen.at(-1)).toBe('completed')
    expect(await item.done).toMatchObject({ key: 'a', sizeBytes: 10 })
    expect(item.result?.key).toBe('a')
    expect(item.task).toBeUndefined()
    expect(item.progress).toMatchObject({ currentBytes: 10, totalBytes: 10 })
  })
})

describe('a file of a queue', () => {
  it('gives its place to others while it is paused, and goes on before those that never began', async () => {
    const queue = queueOf({ parallel: 1 })
    const items = queue.add(imagine(10, 'file', 20 * MiB))
    await world.pass(100)
    const open = items.filter((item) => item.task)
    expect(open.length).toBe(2)
    const [first, second] = open
    first?.pause()
    first?.pause()
    expect(first?.state).toBe('paused')
    await world.pass(100)
    expect(items.filter((item) => item.task && item.state !== 'paused').length).toBe(2)
    first?.resume()
    expect(first?.state).toBe('queued')
    await second?.cancel()
    await world.pass(1)
    expect(first?.state).toBe('sending')
    expect(items[3]?.state).toBe('queued')
    await world.pass(200_000)
    expect(statesOf(items)).toEqual(items.map((item) => (item === second ? 'cancelled' : 'completed')))
  })

  it('can be paused, resumed and cancelled before its turn', async () => {
    const queue = queueOf({ parallel: 1 })
    const items = queue.add(imagine(8, 'file', 20 * MiB))
    items[5]?.pause()
    await items[6]?.cancel()
    expect(items[6]?.error).toMatchObject({ code: 'cancelled' })
    await expect(items[6]?.done).rejects.toMatchObject({ code: 'cancelled' })
    await world.pass(200_000)
    expect(statesOf(items)).toEqual([...Array(5).fill('completed'), 'paused', 'cancelled', 'completed'])
    expect(world.partsOf('file-5') + world.partsOf('file-6')).toBe(0)
    items[5]?.resume()
    await world.pass(20_000)
    expect(items[5]?.state).toBe('completed')
  })

  it('stops nobody else when it fails, and can be tried again', async () => {
    const queue = queueOf({ parallel: 2 })
    const items = queue.add([{ name: 'bad', size: 10, failures: 1 }, ...imagine(10, 'good', 10)])
    const bad = items[0]
    const done = bad?.done
    await world.pass(5000)
    expect(statesOf(items)).toEqual(['failed', ...Array(10).fill('completed')])
    expect(bad?.error).toMatchObject({ code: 'network' })
    await expect(done).rejects.toMatchObject({ code: 'network' })
    expect(queue.progress).toMatchObject({ totalBytes: 100, currentBytes: 100, files: { failed: 1, completed: 10 } })
    bad?.retry()
    expect(bad).toMatchObject({ state: 'queued', error: undefined })
    expect(queue.progress).toMatchObject({ totalBytes: 110, currentBytes: 100 })
    await world.pass(5000)
    expect(await bad?.done).toMatchObject({ key: 'bad' })
    await expect(done).rejects.toMatchObject({ code: 'network' })
    expect(queue.progress).toMatchObject({ totalBytes: 110, currentBytes: 110, files: { failed: 0, completed: 11 } })
    bad?.retry()
    expect(bad?.state).toBe('completed')
  })

  it('can be tried again by whoever hears that it failed', async () => {
    const queue = queueOf({ onItemChange: (item) => item.state === 'failed' && item.retry() })
    const bad = only(queue.add({ name: 'bad', size: 10, failures: 3 }))
    const first = bad.done
    let isIdle = false
    void queue.idle().then(() => {
      isIdle = true
    })
    await world.pass(150)
    await expect(first).rejects.toMatchObject({ code: 'network' })
    expect(isIdle).toBe(false)
    await world.pass(2000)
    expect(await bad.done).toMatchObject({ key: 'bad' })
    expect(isIdle).toBe(true)
  })

  it('is as new when it is tried again: it can be paused, and its bytes make the speed', async () => {
    const queue = queueOf({ parallel: 1 })
    const item = only(queue.add({ name: 'bad', size: 100 * MiB, failures: 1, failsAt: 5 }))
    await world.pass(2000)
    expect(item.progress).toMatchObject({ currentBytes: 8 * MiB, sentBytes: 8 * MiB })
    item.pause()
    await item.cancel()
    expect(item.state).toBe('cancelled')
    item.retry()
    await world.pass(10)
    item.pause()
    expect(item.state).toBe('paused')
    item.resume()
    await world.pass(12_000)
    expect(item.state).toBe('failed')
    await world.pass(60_000)
    item.retry()
    expect(item.progress).toMatchObject({ currentBytes: 0, sentBytes: 0, totalBytes: 100 * MiB })
    await world.pass(4000)
    expect(queue.progress.bytesPerSecond).toBeGreaterThan(1_000_000)
    await queue.cancel()
  })

  it('knows its size before it is open', async () => {
    const queue = queueOf()
    const item = only(queue.add({ name: 'a', size: 10 }))
    expect(item.progress).toMatchObject({ currentBytes: 0, totalBytes: 10, etaSeconds: null })
    await world.pass(1)
    expect(item.state).toBe('preparing')
    expect(item.progress).toMatchObject({ currentBytes: 0, totalBytes: 10 })
  })

  it('may be a string, which is one path and not a list of letters; has options of its own and those of all', async () => {
    const upload = vi.fn((path: string) => world.client.upload({ name: path, size: 10 }))
    const queue = createUploadQueue<string>({ upload }, { parallel: 3 })
    const metadata = { album: 'summer' }
    queue.add('one.txt')
    queue.add(['two.txt', { source: 'three.txt', fileName: 'drei.txt', parallel: 2 }], { metadata, parallel: 20 })
    await world.pass(1000)
    expect(upload.mock.calls).toEqual([
      ['one.txt', expect.objectContaining({ parallel: 3 })],
      ['two.txt', expect.objectContaining({ metadata, parallel: 3 })],
      ['three.txt', expect.objectContaining({ metadata, fileName: 'drei.txt', parallel: 2 })],
    ])
  })

  it('fails alone when its options are refused', async () => {
    const queue = queueOf()
    const items = queue.add([
      { source: { file: { name: 'odd', size: 1 } }, partSizeBytes: 0 },
      { name: 'good', size: 1 },
    ])
    await world.pass(1000)
    expect(statesOf(items)).toEqual(['failed', 'completed'])
    expect(items[0]?.error).toMatchObject({ code: 'invalid-argument' })
  })

  it('is cancelled by its signal before and during its turn', async () => {
    const canceller = new AbortController()
    const queue = queueOf({ parallel: 1 })
    const items = queue.add(imagine(5, 'file', 20 * MiB), { signal: canceller.signal })
    await world.pass(100)
    canceller.abort()
    await world.pass(1)
    expect(statesOf(items)).toEqual(Array(5).fill('cancelled'))
    const late = queue.add({ name: 'late', size: 1 }, { signal: canceller.signal })
    await world.pass(1000)
    expect(statesOf(late)).toEqual(['cancelled'])
    expect(world.now).toEqual({ parts: 0, files: 0 })
  })

  it('lets others in while it waits for an equal file that somebody else sends', async () => {
    let letGo = () => {}
    const waitsFor = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const queue = queueOf({ parallel: 1 })
    const waiting = queue.add(imagine(3, 'equal', 10).map((file) => ({ ...file, waitsFor })))
    const others = queue.add(imagine(20, 'other', 10))
    await world.pass(10_000)
    expect(statesOf(others)).toEqual(Array(20).fill('completed'))
    expect(statesOf(waiting)).toEqual(Array(3).fill('waiting'))
    waiting[1]?.pause()
    queue.pause()
    expect(statesOf(waiting)).toEqual(Array(3).fill('paused'))
    queue.resume()
    await world.pass(10)
    expect(statesOf(waiting)).toEqual(['waiting', 'paused', 'waiting'])
    letGo()
    waiting[1]?.resume()
    await world.pass(1000)
    expect(statesOf(waiting)).toEqual(Array(3).fill('completed'))
  })
})

describe('the whole queue', () => {
  it('pauses and resumes, and leaves files alone that were paused one by one', async () => {
    const queue = queueOf({ parallel: 2 })
    const items = queue.add(imagine(6, 'file', 100 * MiB))
    await world.pass(3000)
    items[0]?.pause()
    queue.pause()
    expect(queue.isPaused).toBe(true)
    await world.pass(1)
    expect(world.now.parts).toBe(0)
    const parts = world.events.length
    const added = queue.add(imagine(3, 'late', 10))
    await world.pass(60_000)
    expect(world.events.length).toBe(parts)
    expect(statesOf(added)).toEqual(Array(3).fill('queued'))
    queue.resume()
    await world.pass(400_000)
    expect(statesOf(items)).toEqual(['paused', ...Array(5).fill('completed')])
    items[0]?.resume()
    await world.pass(100_000)
    expect(items[0]?.state).toBe('completed')
    expect(world.most.parts).toBe(2)
  })

  it('cancels what has begun and what has not, and can be used again', async () => {
    const queue = queueOf({ parallel: 2 })
    const items = queue.add(imagine(50, 'file', 20 * MiB))
    await world.pass(500)
    const cancelled = queue.cancel()
    await world.pass(1)
    await cancelled
    await queue.idle()
    expect(new Set(statesOf(items))).toEqual(new Set(['cancelled']))
    expect(world.now).toEqual({ parts: 0, files: 0 })
    const more = queue.add({ name: 'more', size: 10 })
    await world.pass(1000)
    expect(statesOf(more)).toEqual(['completed'])
  })

  it('says when a file could not be cancelled, after all have ended', async () => {
    const problem = new ClientException('network', 'the server is away')
    const upload: QueueWorld['client']['upload'] = (source, options) => {
      const task = world.client.upload(source, options)
      const { cancel } = task
      return Object.assign(task, { cancel: async () => cancel().then(() => Promise.reject(problem)) })
    }
    const queue = createUploadQueue<TestSource>({ upload }, { parallel: 1 })
    const items = queue.add(imagine(9, 'file', 10))
    await world.pass(10)
    const cancelling = expect(queue.cancel()).rejects.toBe(problem)
    await world.pass(10)
    await cancelling
    expect(new Set(statesOf(items))).toEqual(new Set(['cancelled']))
  })

  it('is idle when nothing is left to do: not while a file is paused or files are still being found', async () => {
    const queue = queueOf()
    await queue.idle()
    let findMore = () => {}
    const found = new Promise<void>((resolve) => {
      findMore = resolve
    })
    async function* slowly(): AsyncGenerator<TestSource> {
      yield { name: 'first', size: 10 }
      await found
      yield { name: 'second', size: 10 }
    }
    const adding = queue.add(slowly())
    let isIdle = false
    const idle = queue.idle().then(() => {
      isIdle = true
    })
    await world.pass(1000)
    expect(queue.progress.files.completed).toBe(1)
    expect(isIdle).toBe(false)
    findMore()
    await world.pass(60)
    const [, second] = await adding
    second?.pause()
    await world.pass(1000)
    expect(isIdle).toBe(false)
    second?.resume()
    await world.pass(1000)
    await idle
    expect(queue.progress.files.completed).toBe(2)
  })

  it('is idle when no more files are found after the last one has ended', async () => {
    const queue = queueOf()
    async function* slowly(): AsyncGenerator<TestSource> {
      yield { name: 'only', size: 10 }
      await new Promise((resolve) => setTimeout(resolve, 5000))
    }
    void queue.add(slowly())
    let isIdle = false
    void queue.idle().then(() => {
      isIdle = true
    })
    await world.pass(4000)
    expect(queue.progress.files.completed).toBe(1)
    expect(isIdle).toBe(false)
    await world.pass(1001)
    expect(isIdle).toBe(true)
  })

  it('passes on what an async iterable throws, and stores what it gave before', async () => {
    const queue = queueOf()
    async function* broken(): AsyncGenerator<TestSource> {
      yield { name: 'one', size: 10 }
      throw new Error('the folder is gone')
    }
    await expect(queue.add(broken())).rejects.toThrow('the folder is gone')
    await world.pass(1000)
    await queue.idle()
    expect(queue.progress.files).toMatchObject({ completed: 1, total: 1 })
  })

  it('stops looking for files when it is cancelled', async () => {
    const queue = queueOf()
    let isClosed = false
    async function* endless(): AsyncGenerator<TestSource> {
      try {
        for (let index = 0; ; index++) {
          yield { name: `file-${index}`, size: 10 }
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
      } finally {
        isClosed = true
      }
    }
    const adding = queue.add(endless())
    await world.pass(1000)
    await queue.cancel()
    await queue.idle()
    const count = queue.items.size
    await world.pass(1000)
    expect(await adding).toHaveLength(count)
    expect(isClosed).toBe(true)
  })

  it('forgets files that have ended, and only those', async () => {
    const queue = queueOf({ parallel: 1 })
    const items = queue.add([...imagine(3, 'file', 10), { name: 'bad', size: 10, failures: 1 }])
    const [first] = items
    if (!first) throw new Error('nothing was added')
    expect(queue.remove(first)).toBe(false)
    await world.pass(2000)
    expect(queue.remove(first)).toBe(true)
    expect(queue.remove(first)).toBe(false)
    expect(queueOf().remove(first)).toBe(false)
    queue.clearFinished()
    expect(statesOf(queue.items)).toEqual(['failed'])
    expect(queue.progress).toMatchObject({
      totalBytes: 0,
      currentBytes: 0,
      files: { total: 1, failed: 1, completed: 0 },
    })
    const bad = items[3]
    if (bad) expect(queue.remove(bad)).toBe(true)
    bad?.retry()
    expect(bad?.state).toBe('failed')
    expect(queue.items.size).toBe(0)
    expect(queue.progress.files.total).toBe(0)
  })

  it('cannot be broken by callbacks', async () => {
    const broken = () => {
      throw new Error('a display broke')
    }
    const queue = queueOf({ onChange: broken, onItemChange: broken })
    const own = { onProgress: broken, onStateChange: broken }
    const items = queue.add(
      [
        { name: 'a', size: 10 },
        { name: 'b', size: 20 * MiB },
      ],
      own,
    )
    await world.pass(20_000)
    expect(statesOf(items)).toEqual(['completed', 'completed'])
  })

  it('passes progress and states on to the callbacks of a file', async () => {
    const states: string[] = []
    const bytes: number[] = []
    const entry: QueueFile<TestSource> = {
      source: { file: { name: 'a', size: 10 } },
      sizeBytes: 10,
      fileName: 'folder/a',
      onStateChange: (state) => states.push(state),
      onProgress: ({ currentBytes }) => bytes.push(currentBytes),
    }
    const queue = queueOf()
    const item = only(queue.add([entry]))
    expect(item).toMatchObject({ fileName: 'folder/a', sizeBytes: 10, source: { file: { name: 'a' } } })
    await world.pass(1000)
    expect(states).toEqual(['sending', 'completing', 'completed'])
    expect(bytes).toEqual([0, 10])
  })

  it('refuses arguments that make no sense, naming them', () => {
    for (const parallel of [0, 33, 1.5, Number.NaN]) {
      expect(() => queueOf({ parallel })).toThrow(
        expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining('parallel') }),
      )
    }
    expect(() => createUploadQueue({} as never)).toThrow('client')
    const queue = queueOf()
    expect(() => queue.add(undefined as never)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
    const files = [
      { name: 'a', size: 1 },
      { source: { file: { name: 'b', size: 1 } }, sizeBytes: -1 },
    ]
    expect(() => queue.add(files)).toThrow('sizeBytes')
    expect(queue.items.size).toBe(0)
  })
})

describe('the progress of a queue', () => {
  it('adds up to the truth at every moment, whatever happens to the files', async () => {
    const queue = queueOf({ parallel: 3 })
    const items = queue.add([
      ...imagine(20, 'file', 9 * MiB),
      ...imagine(20, 'small', 1000),
      { name: 'bad', size: MiB, failures: 2 },
    ])
    const check = () => {
      const { files, totalBytes, currentBytes } = queue.progress
      const states = statesOf(queue.items)
      for (const state of new Set(states)) expect(files[state]).toBe(states.filter((other) => other === state).length)
      const counted = [...queue.items].filter(({ state }) => state !== 'failed' && state !== 'cancelled')
      expect(totalBytes).toBe(counted.reduce((sum, item) => sum + (item.sizeBytes ?? 0), 0))
      expect(currentBytes).toBe(counted.reduce((sum, item) => sum + item.progress.currentBytes, 0))
    }
    check()
    for (let turn = 0; turn < 60; turn++) {
      await world.pass(130)
      const item = items[(turn * 7) % items.length]
      if (turn % 5 === 0) item?.pause()
      if (turn % 5 === 2) void item?.cancel()
      if (turn % 5 === 4) for (const other of items) other.resume()
      if (turn === 30) queue.clearFinished()
      check()
      for (const other of items) if (turn % 9 === 0) other.retry()
      check()
    }
  })

  it('is told at most every 100 ms, last of all before the queue is idle', async () => {
    const reports: { atMs: number; progress: QueueProgress }[] = []
    const queue = queueOf({ onChange: (progress) => reports.push({ atMs: Date.now(), progress }) })
    queue.add(imagine(200, 'small', 1000))
    let last: QueueProgress | undefined
    void queue.idle().then(() => {
      last = reports.at(-1)?.progress
    })
    await world.pass(10_000)
    expect(last).toMatchObject({ currentBytes: 200_000, totalBytes: 200_000, etaSeconds: 0, files: { completed: 200 } })
    const gaps = reports.slice(1).map(({ atMs }, index) => atMs - (reports[index]?.atMs ?? 0))
    expect(Math.min(...gaps.slice(0, -1))).toBeGreaterThanOrEqual(100)
    expect(reports.length).toBeGreaterThan(10)
  })

  it('knows the speed and the time left, and says neither while nothing is being done', async () => {
    const queue = queueOf({ parallel: 2 })
    queue.add(imagine(2, 'big', 400 * MiB))
    expect(queue.progress).toMatchObject({ bytesPerSecond: 0, etaSeconds: null })
    await world.pass(30_000)
    // Two parts of 8 MiB every 1.73 s.
    const { bytesPerSecond, etaSeconds, currentBytes, totalBytes } = queue.progress
    expect(bytesPerSecond).toBeGreaterThan(7_000_000)
    expect(bytesPerSecond).toBeLessThan(14_000_000)
    expect(etaSeconds).toBeCloseTo((totalBytes - currentBytes) / bytesPerSecond, -1)
    queue.pause()
    expect(queue.progress).toMatchObject({ bytesPerSecond: 0, etaSeconds: null })
    queue.resume()
    await world.pass(10)
    expect(queue.progress.bytesPerSecond).toBeGreaterThan(0)
  })

  it('estimates the time that thousands of tiny files take, which have next to no bytes', async () => {
    const queue = queueOf({ parallel: 6 })
    queue.add(imagine(6000, 'tiny', 1))
    await world.pass(10_000)
    const { etaSeconds, files } = queue.progress
    const leftSeconds = (files.total - files.completed) / (files.completed / 10)
    expect(etaSeconds).toBeGreaterThan(leftSeconds * 0.7)
    expect(etaSeconds).toBeLessThan(leftSeconds * 1.3)
    await queue.cancel()
  })

  it('counts files of unknown size until they are open', async () => {
    const queue = queueOf()
    const items = queue.add(
      Array.from({ length: 200 }, (_, index) => ({ file: { name: `unknown-${index}`, size: 1000 } })),
    )
    expect(queue.progress).toMatchObject({ unsizedFiles: 200, totalBytes: 0 })
    await world.pass(2000)
    expect(queue.progress.unsizedFiles).toBeGreaterThan(0)
    expect(queue.progress.unsizedFiles).toBeLessThan(200)
    expect(queue.progress.bytesPerSecond).toBeGreaterThan(0)
    expect(queue.progress.etaSeconds).toBeNull()
    // They begin as big ones, two at a time, and leave that lane as soon as they are known to be small.
    expect(world.most.files).toBeGreaterThan(4)
    await world.pass(10_000)
    expect(queue.progress).toMatchObject({ unsizedFiles: 0, totalBytes: 200_000, currentBytes: 200_000 })
    expect(items[199]?.sizeBytes).toBe(1000)
  })
})
