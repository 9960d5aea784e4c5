import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PartTransport } from '@partway/client/node'
import { createHttpTransport } from '@partway/client/node'
import { createUploadQueue, type QueueItem, type QueueProgress } from '@partway/client/queue'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { seededRandom } from '../../server/local-cloud/seeded-random.ts'
import { MiB, sha256OfFile, startUploadBench, type UploadBench, until } from './upload-bench.ts'

let bench: UploadBench
beforeAll(async () => {
  bench = await startUploadBench()
})
beforeEach(() => {
  bench.app.cloud.faults.clear()
  bench.app.cloud.requests.reset()
  bench.takeCalls()
})
afterAll(() => bench.close())

/** Node's transport, which also knows how many parts were in flight at once. */
function countingTransport() {
  const transport = createHttpTransport()
  const counts = { now: 0, most: 0 }
  const counting: PartTransport = {
    ...transport,
    async send(request) {
      counts.now += 1
      counts.most = Math.max(counts.most, counts.now)
      try {
        return await transport.send(request)
      } finally {
        counts.now -= 1
      }
    },
  }
  return { counts, transport: counting }
}

async function filesOf(sizes: readonly number[], folder: string): Promise<string[]> {
  const paths: string[] = []
  for (const [index, size] of sizes.entries()) paths.push(await bench.file(size, `${folder}-${index}.bin`))
  return paths
}

/** Parts that take `delayMs` each, so that there is a middle to stop in. */
const slowParts = (delayMs: number) =>
  bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs } })

async function expectEqualObjects(items: Iterable<QueueItem<unknown>>): Promise<void> {
  for (const item of items) {
    const { key } = await item.done
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(String(item.source)))
  }
}

describe('a queue of many files', () => {
  it('stores every file byte for byte and never has more parts in flight than allowed', async () => {
    const sizes = Array.from({ length: 60 }, (_, index) => (index % 6 === 0 ? index * 90_000 : index * 500))
    const paths = await filesOf([0, 0, 9 * MiB, ...sizes], 'many')
    const { counts, transport } = countingTransport()
    const client = bench.clientWith({ ports: { transport } })
    const reports: QueueProgress[] = []
    const queue = createUploadQueue(client, { parallel: 5, onChange: (progress) => reports.push(progress) })
    const items = queue.add(paths, { partSizeBytes: MiB })
    expect(items.map((item) => item.state)).toEqual(paths.map(() => 'queued'))
    await queue.idle()
    await expectEqualObjects(items)
    expect(new Set(items.map((item) => item.result?.key)).size).toBe(paths.length)
    expect(counts.most).toBe(5)
    const last = reports.at(-1)
    expect(last?.files.completed).toBe(paths.length)
    expect(last?.currentBytes).toBe(last?.totalBytes)
    expect(last?.etaSeconds).toBe(0)
  })

  it('gives equal files an object each, and sends each of them once', async () => {
    const original = await bench.file(3 * MiB, 'original.bin')
    const copies = Array.from({ length: 8 }, (_, index) => join(bench.directory, `copy-${index}.bin`))
    for (const copy of copies) await copyFile(original, copy)
    const queue = createUploadQueue(bench.client, { parallel: 4 })
    // The first one twice more, under names of its own.
    const twice = ['one', 'two'].map((fileName) => ({ source: original, fileName }))
    const items = queue.add([original, ...copies, ...twice], { partSizeBytes: MiB })
    await queue.idle()
    await expectEqualObjects(items)
    expect(new Set(items.map((item) => item.result?.key)).size).toBe(11)
    expect(bench.partsSent()).toBe(33)
  })

  it('lets a small file pass big ones that are on their way', async () => {
    const bigs = await filesOf([20 * MiB, 20 * MiB, 20 * MiB, 20 * MiB], 'big')
    const small = await bench.file(1000, 'small.bin')
    slowParts(100)
    const queue = createUploadQueue(bench.client, { parallel: 3 })
    const items = queue.add(
      bigs.map((source) => ({ source, sizeBytes: 20 * MiB })),
      { partSizeBytes: MiB },
    )
    await until(() => bench.partsSent() > 10, 'the big files were on their way')
    const [passing] = queue.add({ source: small, sizeBytes: 1000 })
    const sentBefore = bench.partsSent()
    await passing?.done
    // Its own part, and those of the big files meanwhile: a few rounds of three, not the 70 that are left.
    expect(bench.partsSent() - sentBefore).toBeLessThan(30)
    expect(queue.progress.files.completed).toBe(1)
    bench.app.cloud.faults.clear()
    await queue.idle()
    await expectEqualObjects(items)
  })

  it('pauses, resumes and cancels single files and the whole, and all others are equal in the end', async () => {
    const paths = await filesOf(Array(14).fill(3 * MiB), 'moved')
    const { counts, transport } = countingTransport()
    const client = bench.clientWith({ ports: { transport } })
    const rule = slowParts(60)
    const queue = createUploadQueue(client, { parallel: 4 })
    const items = queue.add(
      paths.map((source) => ({ source, sizeBytes: 3 * MiB })),
      { partSizeBytes: MiB },
    )
    const [first, second] = items
    const last = items.at(-1)
    await until(() => first?.state === 'sending', 'the first file was being sent')
    first?.pause()
    await last?.cancel()
    await until(() => second?.state === 'sending', 'the second file was being sent')
    await second?.cancel()
    expect(second?.error).toMatchObject({ code: 'cancelled' })
    queue.pause()
    expect(items.filter((item) => item.state === 'paused').length).toBeGreaterThan(1)
    await until(() => counts.now === 0, 'nothing was in flight')
    expect(queue.progress.files).toMatchObject({ sending: 0, completing: 0 })
    const sent = bench.partsSent()
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(bench.partsSent()).toBe(sent)
    queue.resume()
    bench.app.cloud.faults.remove(rule)
    await until(() => queue.progress.files.completed === 11, 'all others were completed')
    expect(first?.state).toBe('paused')
    first?.resume()
    await queue.idle()
    await expectEqualObjects(items.filter((item) => item !== second && item !== last))
    expect([second?.state, last?.state]).toEqual(['cancelled', 'cancelled'])
    expect(counts.most).toBeLessThanOrEqual(4)
    // Nothing of the cancelled ones is left to pay for.
    const { uploads } = await client.listUploads({ state: 'uploading' })
    expect(uploads).toEqual([])
  })

  it('goes on with all others when one fails, and retries that one without sending again what is stored', async () => {
    const paths = await filesOf([6 * MiB, 1000, 2000, 3000], 'failing')
    const missing = join(bench.directory, 'not-there.bin')
    const client = bench.clientWith({ retry: { baseMs: 1, capMs: 1, maxAttempts: 2, budgetMs: 1000 } })
    const rule = bench.app.cloud.faults.add({
      match: { verb: 'UploadPart', partNumber: 6 },
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
    })
    const queue = createUploadQueue(client, { parallel: 1 })
    const items = queue.add([missing, ...paths], { partSizeBytes: MiB })
    await queue.idle()
    expect(items.map((item) => item.state)).toEqual(['failed', 'failed', 'completed', 'completed', 'completed'])
    expect(items[0]?.error).toMatchObject({ code: 'source-unreadable' })
    expect(items[1]?.error).toMatchObject({ code: 'ServiceUnavailable' })
    bench.app.cloud.faults.remove(rule)
    const sent = bench.partsSent()
    const file = await bench.file(500, 'not-there.bin')
    expect(file).toBe(missing)
    items[0]?.retry()
    items[1]?.retry()
    await queue.idle()
    await expectEqualObjects(items)
    expect(bench.partsSent() - sent).toBe(2)
  })

  it('ends with every file stored or cancelled, whatever is done to it at random while parts fail', async () => {
    const seed = Number(process.env.PROPERTY_SEED ?? 20_261_122)
    console.log(`random acts on a queue: PROPERTY_SEED=${seed}`)
    const random = seededRandom(seed)
    const sizes = Array.from({ length: 40 }, () => Math.floor(random() ** 4 * 6 * MiB))
    const paths = await filesOf(sizes, 'random')
    bench.app.cloud.faults.add({
      match: { verb: 'UploadPart' },
      probability: 0.1,
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
    })
    slowParts(5)
    const { counts, transport } = countingTransport()
    const client = bench.clientWith({ ports: { transport } })
    const queue = createUploadQueue(client, { parallel: 3 })
    const items = queue.add(
      paths.map((source, index) => (index % 2 === 0 ? source : { source, sizeBytes: sizes[index] })),
      { partSizeBytes: MiB },
    )
    const cancelling: Promise<void>[] = []
    for (let act = 0; act < 150; act++) {
      const item = items[Math.floor(random() * items.length)]
      const what = random()
      if (what < 0.35) item?.pause()
      else if (what < 0.7) item?.resume()
      else if (what < 0.8) item?.retry()
      else if (what < 0.9 && act % 4 === 0 && item) cancelling.push(item.cancel())
      else if (what < 0.95) queue.pause()
      else queue.resume()
      await new Promise((resolve) => setTimeout(resolve, 1 + random() * 15))
    }
    queue.resume()
    for (const item of items) item.resume()
    await queue.idle()
    await Promise.allSettled(cancelling)
    for (const { state } of items) expect(['completed', 'cancelled']).toContain(state)
    await expectEqualObjects(items.filter((item) => item.state === 'completed'))
    expect(counts).toEqual({ now: 0, most: 3 })
    expect(queue.progress.currentBytes).toBe(queue.progress.totalBytes)
    for (const item of items) item.retry()
    await queue.idle()
    await expectEqualObjects(items)
    expect(new Set(items.map((item) => item.result?.key)).size).toBe(items.length)
  })
})
