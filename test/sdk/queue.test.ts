import type { PartTransport } from '@partway/client/node'
import { createHttpTransport } from '@partway/client/node'
import { createUploadQueue, type QueueItem, type QueueProgress } from '@partway/client/queue'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, type UploadBench } from './upload-bench.ts'

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
})
