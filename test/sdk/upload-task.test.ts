import { createMemoryRecordStore, systemClock, type UploadOptions, type UploadTask } from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, testRetry, type UploadBench, until } from './upload-bench.ts'

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

/** Parts that take `delayMs` each, so that there is a middle to stop in. */
const slowParts = (delayMs: number) =>
  bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs } })

const inFlight = () => {
  const { requests } = bench.app.cloud
  return requests.count('UploadPart') - [0, 200].reduce((sum, s) => sum + requests.countAnswered('UploadPart', s), 0)
}

async function begin(name: string, options: UploadOptions = {}): Promise<{ path: string; task: UploadTask }> {
  const path = await bench.file(8 * MiB, name)
  const task = bench.client.upload(path, { partSizeBytes: MiB, parallel: 2, ...options })
  await until(() => bench.app.cloud.requests.countAnswered('UploadPart', 200) >= 2, 'two parts were stored')
  return { path, task }
}

describe('pause and resume', () => {
  it('stops what is in flight within a second, and goes on to the same object', async () => {
    const rule = slowParts(150)
    const states: string[] = []
    const { path, task } = await begin('paused.bin', { onStateChange: (state) => states.push(state) })
    task.pause()
    expect(task.state).toBe('paused')
    const beforeMs = Date.now()
    let before = bench.partsSent()
    await until(() => {
      // A request that had left before the pause may arrive after it.
      before = bench.partsSent()
      return inFlight() === 0 && Date.now() - beforeMs > 250
    }, 'nothing was in flight')
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(bench.partsSent()).toBe(before)
    bench.app.cloud.faults.remove(rule)
    task.resume()
    const result = await task.done
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
    expect(states).toEqual(['sending', 'paused', 'sending', 'completing', 'completed'])
    // At most the two parts in flight went twice.
    expect(bench.partsSent()).toBeLessThanOrEqual(8 + 2)
  })

  it('drops a PUT in the middle of its body', async () => {
    const path = await bench.file(64 * MiB, 'throttled.bin')
    const task = bench.client.upload(path, { partSizeBytes: 32 * MiB, parallel: 2 })
    await until(() => task.progress.sentBytes > 0, 'bytes were moving')
    task.pause()
    const sent = task.progress.sentBytes
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(task.progress.sentBytes).toBe(sent)
    task.resume()
    const result = await task.done
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
  })

  it('may come before anything has begun, and as often as one likes', async () => {
    const path = await bench.file(3 * MiB, 'early-pause.bin')
    const task = bench.client.upload(path, { partSizeBytes: MiB })
    task.pause()
    task.pause()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(bench.partsSent()).toBe(0)
    for (let round = 0; round < 5; round++) {
      task.resume()
      await new Promise((resolve) => setTimeout(resolve, 5))
      task.pause()
    }
    task.resume()
    const result = await task.done
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
    task.pause()
    task.resume()
    expect(task.state).toBe('completed')
  })

  it.each(['presigned', 'sts'] as const)('may last longer than an outage of the server may (mode %s)', async (mode) => {
    const retry = { ...testRetry, budgetMs: 300 }
    let isDown = true
    let failures = 0
    const fetchUnlessDown: typeof fetch = async (input, init) => {
      if (!isDown || !/grants|credentials/.test(String(input))) return bench.fetch(input, init)
      failures += 1
      throw new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } })
    }
    const token = () => bench.app.token({ scopes: ['uploads', 'credentials'] })
    const client = bench.clientWith({ retry, token, ports: { fetch: fetchUnlessDown } })
    const path = await bench.file(8 * MiB, `long-pause-${mode}.bin`)
    const task = client.upload(path, { partSizeBytes: MiB, parallel: 2, mode })
    await until(() => failures > 0, 'a grant was asked for in vain')
    task.pause()
    const before = failures
    await new Promise((resolve) => setTimeout(resolve, 2 * retry.budgetMs))
    expect(failures).toBe(before)
    isDown = false
    task.resume()
    expect(await bench.objectSha256((await task.done).key)).toBe(await sha256OfFile(path))
  })

  it('tells the server what is stored, so that another device may go on', async () => {
    const rule = slowParts(100)
    // Without the timer that would say it two seconds later.
    const sleep = (ms: number, signal?: AbortSignal) =>
      ms === 2000 ? new Promise<void>(() => {}) : systemClock.sleep(ms, signal)
    const client = bench.clientWith({ ports: { clock: { ...systemClock, sleep } } })
    const path = await bench.file(8 * MiB, 'told.bin')
    const task = client.upload(path, { partSizeBytes: MiB, parallel: 2 })
    // At most two of these parts are in flight, so two of them are stored.
    await until(() => task.progress.currentBytes > 4 * MiB, 'two parts were known to be stored')
    task.pause()
    await until(async () => (await bench.client.getUpload(task.id ?? '')).upload.storedBytes >= 2 * MiB, 'it was told')
    bench.app.cloud.faults.remove(rule)
    await task.cancel()
  })
})

it('callbacks that throw, at once or later, do not end the upload', async () => {
  const refuse = () =>
    bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, times: 2, effect: { kind: 'cut', at: 'start' } })
  const serverDown = bench.clientWith({
    ports: {
      fetch: ((calls) => (input: RequestInfo | URL, init?: RequestInit) => {
        calls += 1
        return calls === 1 ? Promise.reject(new TypeError('fetch failed')) : fetch(input, init)
      })(0),
    },
  })
  for (const onNotice of [
    () => {
      throw new Error('a display broke')
    },
    () => Promise.reject(new Error('a display broke later')),
  ]) {
    refuse()
    const path = await bench.file(3 * MiB, 'throwing.bin')
    const options = { partSizeBytes: MiB, onNotice, onProgress: onNotice, onStateChange: onNotice, resume: false }
    await expect(serverDown.upload(path, options).done).resolves.toMatchObject({ sizeBytes: 3 * MiB })
  }
})

describe('cancel', () => {
  it('aborts the upload and deletes the record, so that the next run starts at zero', async () => {
    slowParts(100)
    const recordStore = createMemoryRecordStore()
    const { path, task } = await begin('cancelled.bin', { recordStore })
    const startedAtMs = Date.now()
    await task.cancel()
    expect(Date.now() - startedAtMs).toBeLessThan(5000)
    expect(task.state).toBe('cancelled')
    // No checkpoint of what has just been thrown away.
    expect(bench.takeCalls().at(-1)).toBe('DELETE /v1/uploads/{id}')
    await expect(task.done).rejects.toMatchObject({ name: 'ClientException', code: 'cancelled', isCancelled: true })
    const { upload } = await bench.client.getUpload(task.id ?? '')
    expect(upload.state).toMatch(/^abort/)
    expect(upload.abortReason).toBe('user')
    bench.app.cloud.faults.clear()
    const again = await bench.client.upload(path, { recordStore, partSizeBytes: MiB }).done
    expect(again.sentBytes).toBe(8 * MiB)
    expect(again.id).not.toBe(task.id)
  })

  it('ends on a device without a network, and says that the server does not know', async () => {
    slowParts(100)
    let isOnline = true
    const online = (signal?: AbortSignal) =>
      isOnline
        ? Promise.resolve()
        : new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    const client = bench.clientWith({ ports: { clock: { ...systemClock, online } } })
    const task = client.upload(await bench.file(8 * MiB, 'offline.bin'), { partSizeBytes: MiB, parallel: 2 })
    await until(() => task.progress.sentBytes > 0, 'bytes were moving')
    isOnline = false
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
      expect(ms).toBeLessThanOrEqual(15_000)
      return AbortSignal.abort()
    })
    try {
      await expect(task.cancel()).rejects.toMatchObject({ name: 'ClientException', code: 'timeout' })
    } finally {
      timeout.mockRestore()
    }
    await expect(task.done).rejects.toMatchObject({ code: 'cancelled' })
    await until(() => inFlight() === 0, 'nothing was in flight')
  })

  it('keeps upload and record when told so, and the next run goes on', async () => {
    slowParts(100)
    const recordStore = createMemoryRecordStore()
    const { path, task } = await begin('kept.bin', { recordStore, deleteUploadOnCancelling: false })
    await task.cancel()
    expect((await bench.client.getUpload(task.id ?? '')).upload.state).toBe('uploading')
    bench.app.cloud.faults.clear()
    await until(() => inFlight() === 0, 'nothing was in flight')
    const again = await bench.client.upload(path, { recordStore }).done
    expect(again.id).toBe(task.id)
    expect(again.sentBytes).toBeLessThanOrEqual(6 * MiB)
  })

  it('leaves nothing in flight, neither to OSS nor to the server', async () => {
    slowParts(50)
    const { task } = await begin('quiet.bin')
    await task.cancel()
    const parts = bench.partsSent()
    bench.takeCalls()
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(bench.partsSent()).toBe(parts)
    expect(bench.takeCalls()).toEqual([])
  })

  it('is what the AbortSignal does, before the start and in the middle', async () => {
    const path = await bench.file(MiB, 'signal.bin')
    const early = bench.client.upload(path, { signal: AbortSignal.abort() })
    await expect(early.done).rejects.toMatchObject({ code: 'cancelled' })
    slowParts(100)
    const controller = new AbortController()
    const { task } = await begin('signal-later.bin', { signal: controller.signal })
    controller.abort()
    await expect(task.done).rejects.toMatchObject({ code: 'cancelled' })
    expect((await bench.client.getUpload(task.id ?? '')).upload.state).toMatch(/^abort/)
  })

  it('right after the start leaves no open upload behind', async () => {
    for (let delayMs = 0; delayMs < 60; delayMs += 6) {
      const path = await bench.file(2 * MiB, `instant-${delayMs}.bin`)
      const task = bench.client.upload(path, { partSizeBytes: MiB, fingerprint: `instant-${delayMs}` })
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      await task.cancel().catch(() => {})
      const { uploads } = await bench.client.listUploads({ fingerprint: `instant-${delayMs}` })
      for (const upload of uploads) expect(upload.state).not.toMatch(/^(pending|uploading)$/)
    }
  })

  it('of a fresh upload leaves the older one that the record names alone, whenever it comes', async () => {
    const rule = slowParts(100)
    const recordStore = createMemoryRecordStore()
    const { path, task: older } = await begin('older.bin', { recordStore, deleteUploadOnCancelling: false })
    await older.cancel()
    bench.app.cloud.faults.remove(rule)
    for (const delayMs of [0, 5, 15, 30]) {
      const fresh = bench.client.upload(path, { recordStore, resume: false, partSizeBytes: MiB })
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      await fresh.cancel()
      expect((await bench.client.getUpload(older.id ?? '')).upload.state).toBe('uploading')
    }
    const again = await bench.client.upload(path, { recordStore }).done
    expect(again.id).toBe(older.id)
  })

  it('ends a paused task too', async () => {
    slowParts(100)
    const { task } = await begin('paused-then-cancelled.bin')
    task.pause()
    await task.cancel()
    expect(task.state).toBe('cancelled')
  })

  it('changes nothing when everything is over', async () => {
    const path = await bench.file(10, 'over.bin')
    const task = bench.client.upload(path)
    const { id } = await task.done
    await task.cancel()
    expect(task.state).toBe('completed')
    expect((await bench.client.getUpload(id)).upload.state).toBe('completed')
  })
})
