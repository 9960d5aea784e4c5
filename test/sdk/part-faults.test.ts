import { isOssError, systemClock, type UploadNotice, type UploadOptions } from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FaultEffect } from '../../server/local-cloud/faults.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { type BrokenLine, startBrokenLine } from './broken-line.ts'
import { changeByteUnseen, MiB, sha256OfFile, startUploadBench, type UploadBench, until } from './upload-bench.ts'

const sizeBytes = 5 * MiB + 9
const minuteMs = 60_000

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

const onParts = (effect: FaultEffect, rest: { times?: number; after?: number; probability?: number } = {}) =>
  bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, ...rest, effect })

async function uploadWhole(name: string, options: UploadOptions = {}) {
  const path = await bench.file(sizeBytes, name)
  const notices: UploadNotice[] = []
  const task = bench.client.upload(path, {
    partSizeBytes: MiB,
    onNotice: (notice) => notices.push(notice),
    ...options,
  })
  const result = await task.done
  expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
  return { result, notices }
}

describe('a part heals by itself', () => {
  const passing: [string, FaultEffect][] = [
    ['503 with Retry-After', { kind: 'answer', status: 503, code: 'SlowDown', headers: { 'Retry-After': '1' } }],
    ['500', { kind: 'answer', status: 500, code: 'InternalError' }],
    ['throttling', { kind: 'throttle', delayMs: 120 }],
    ['a connection cut before the body', { kind: 'cut', at: 'start' }],
    ['a connection cut in the middle of the body', { kind: 'cut', at: 'body', afterBytes: 300_000 }],
    ['a lost reply', { kind: 'cut', at: 'reply' }],
    [
      'an answer after the commit that says otherwise',
      { kind: 'answer', status: 500, code: 'InternalError', at: 'after-commit' },
    ],
    ['a byte changed on the way', { kind: 'corrupt', what: 'received' }],
    ['an answer with another ETag and checksum', { kind: 'corrupt', what: 'crc64' }],
  ]
  for (const [what, effect] of passing) {
    it(`after ${what}`, async () => {
      onParts(effect, { times: 3 })
      const { result, notices } = await uploadWhole('healing.bin')
      expect(result.sizeBytes).toBe(sizeBytes)
      expect(notices.some((notice) => notice.type === 'retry')).toBe(true)
    })
  }

  it('from everything at once, at random', async () => {
    for (const [, effect] of passing) onParts(effect, { probability: 0.08 })
    await uploadWhole('random.bin', { parallel: 4 })
  })

  it('waits at least as long as the service asks', async () => {
    onParts({ kind: 'throttle', delayMs: 700 }, { times: 1 })
    const { notices } = await uploadWhole('asked.bin')
    const retry = notices.find((notice) => notice.type === 'retry')
    expect(retry?.delayMs).toBeGreaterThanOrEqual(700)
    expect(retry?.error).toMatchObject({ from: 'oss', status: 503 })
  })

  it('without counting bytes that arrived in vain as progress, but as sent', async () => {
    onParts({ kind: 'answer', status: 500, code: 'InternalError', at: 'after-commit' }, { times: 2 })
    const { result } = await uploadWhole('vain.bin')
    expect(result.sentBytes).toBeGreaterThanOrEqual(sizeBytes + MiB)
  })
})

describe('a grant', () => {
  it('that OSS finds expired is replaced, and that is no attempt', async () => {
    onParts({ kind: 'clock', offsetMs: 20 * minuteMs }, { times: 4 })
    const { notices } = await uploadWhole('expired.bin', { retry: { maxAttempts: 1 } })
    expect(notices.filter((notice) => notice.type === 'retry')).toEqual([])
  })

  it('is not replaced for ever: OSS’s own words come out at the end, without URL or signature', async () => {
    onParts({ kind: 'clock', offsetMs: 20 * minuteMs })
    const path = await bench.file(MiB, 'always-expired.bin')
    const error = await bench.client.upload(path).done.catch((thrown) => thrown)
    expect(isOssError(error)).toBe(true)
    expect(error).toMatchObject({ status: 403, code: 'AccessDenied' })
    expect(error.requestId).toBeTruthy()
    expect(JSON.stringify(error) + error.stack).not.toMatch(/x-oss-signature|x-oss-credential|Bearer/i)
    expect(bench.takeCalls().filter((call) => call.endsWith('/grants')).length).toBeLessThanOrEqual(4)
  })

  it('near its end is replaced before it is used', async () => {
    const short = await startUploadBench({
      config: (config) => ({ ...config, uploads: { ...config.uploads, grantTtlSeconds: 2 } }),
    })
    try {
      const path = await short.file(6 * MiB, 'short-lived.bin')
      const task = short.client.upload(path, { partSizeBytes: MiB, parallel: 2 })
      await until(() => task.progress.sentBytes > MiB, 'a part was sent')
      task.pause()
      await new Promise((resolve) => setTimeout(resolve, 2500))
      task.resume()
      const { key } = await task.done
      expect(await short.objectSha256(key)).toBe(await sha256OfFile(path))
      expect(short.app.cloud.requests.countAnswered('UploadPart', 403)).toBe(0)
    } finally {
      await short.close()
    }
  })

  for (const hours of [-30, 30]) {
    it(`is judged by the server’s clock, not by one that is ${hours} hours off`, async () => {
      const wrong = { ...systemClock, nowMs: () => Date.now() + hours * 60 * minuteMs }
      const path = await bench.file(sizeBytes, 'wrong-clock.bin')
      const client = bench.clientWith({ ports: { clock: wrong } })
      const { key } = await client.upload(path, { partSizeBytes: MiB }).done
      expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
      const grants = bench.takeCalls().filter((call) => call.endsWith('/grants'))
      expect(grants.length).toBeLessThanOrEqual(2)
      expect(bench.partsSent()).toBe(6)
    })
  }
})

describe('a part that cannot be sent', () => {
  it('fails the upload with OSS’s answer, keeps what is stored, and the next run goes on', async () => {
    const path = await bench.file(sizeBytes, 'denied.bin')
    const rule = bench.app.cloud.faults.add({
      match: { verb: 'UploadPart', partNumber: 4 },
      effect: { kind: 'answer', status: 400, code: 'InvalidArgument' },
    })
    const task = bench.client.upload(path, { partSizeBytes: MiB, parallel: 1 })
    await expect(task.done).rejects.toMatchObject({ from: 'oss', status: 400, code: 'InvalidArgument' })
    expect(task.state).toBe('failed')
    const { upload } = await bench.client.getUpload(task.id ?? '')
    expect(upload).toMatchObject({ state: 'uploading', storedBytes: 3 * MiB })
    bench.app.cloud.faults.remove(rule)
    const again = await bench.client.upload(path).done
    expect(again).toMatchObject({ id: task.id, sentBytes: sizeBytes - 3 * MiB })
  })

  it('is given up when retries are used up', async () => {
    onParts({ kind: 'answer', status: 503, code: 'ServiceUnavailable' })
    const path = await bench.file(MiB, 'never.bin')
    const error = await bench.client.upload(path, { retry: { budgetMs: 200 } }).done.catch((thrown) => thrown)
    expect(error).toMatchObject({ from: 'oss', status: 503 })
  })

  it('is `source-changed` when the disk holds other bytes than were hashed', async () => {
    const path = await bench.file(20 * MiB, 'under-us.bin')
    // Parts above 4 MiB are read again when they are sent; the answer to the create call is the moment to change one in between.
    let isChanged = false
    const client = bench.clientWith({
      ports: {
        fetch: async (input, init) => {
          const response = await fetch(input, init)
          if (!isChanged) await changeByteUnseen(path, 100)
          isChanged = true
          return response
        },
      },
    })
    await expect(client.upload(path, { partSizeBytes: 20 * MiB }).done).rejects.toMatchObject({
      code: 'source-changed',
    })
  })

  it('is `corrupted` when it keeps arriving with other bytes', async () => {
    onParts({ kind: 'corrupt', what: 'received' })
    const path = await bench.file(MiB, 'corrupted.bin')
    const task = bench.client.upload(path, { retry: { maxAttempts: 3 } })
    await expect(task.done).rejects.toMatchObject({ name: 'ClientException', code: 'corrupted' })
    expect(bench.partsSent()).toBe(3)
  })
})

describe('the line to OSS', () => {
  let line: BrokenLine
  let behind: UploadBench
  beforeAll(async () => {
    behind = await startUploadBench()
    line = await startBrokenLine(behind.app.cloud.ossUrl)
  })
  afterAll(async () => {
    await line.close()
    await behind.close()
  })

  /** Sends parts over the line instead of straight to OSS: signatures do not cover the host. */
  const overLine = async (): Promise<UploadBench['client']> => {
    const { createHttpTransport } = await import('@partway/client/node')
    const transport = createHttpTransport()
    return behind.clientWith({
      ports: {
        transport: {
          send: (part) => transport.send({ ...part, url: part.url.replace(behind.app.cloud.ossUrl, line.url) }),
        },
      },
    })
  }

  it('may break five times in the middle of parts', async () => {
    const path = await behind.file(40 * MiB, 'broken.bin')
    const client = await overLine()
    const task = client.upload(path, { partSizeBytes: 2 * MiB })
    for (let cut = 1; cut <= 5; cut++) {
      await until(() => task.progress.currentBytes > cut * 6 * MiB || task.state !== 'sending', 'bytes had moved')
      line.cut()
      await new Promise((resolve) => setTimeout(resolve, 50))
      line.mend()
    }
    const { key } = await task.done
    expect(await behind.objectSha256(key)).toBe(await sha256OfFile(path))
  })

  it('may fall silent: an attempt without a moving byte ends and is made again', async () => {
    const path = await behind.file(30 * MiB, 'silent.bin')
    const client = await overLine()
    const notices: UploadNotice[] = []
    const task = client.upload(path, {
      partSizeBytes: 10 * MiB,
      stallTimeoutMs: 300,
      onNotice: (notice) => notices.push(notice),
    })
    await until(() => task.progress.sentBytes > 2 * MiB, 'bytes were moving')
    line.freeze()
    await until(() => notices.some((notice) => notice.type === 'retry'), 'the stall was noticed')
    line.cut()
    line.mend()
    const { key } = await task.done
    expect(await behind.objectSha256(key)).toBe(await sha256OfFile(path))
    expect(notices.find((notice) => notice.type === 'retry')?.error.message).toContain('no byte moved')
  })

  it('may be slow: the part is given time until it comes through, and later parts have it from the start', async () => {
    const path = await behind.file(6 * MiB, 'slow.bin')
    const proxy = await startTcpProxy([Number(new URL(behind.app.cloud.ossUrl).port)], 2 * MiB)
    const retried: unknown[] = []
    try {
      const { createHttpTransport } = await import('@partway/client/node')
      const transport = createHttpTransport()
      const slow = `http://127.0.0.1:${proxy.port}`
      const client = behind.clientWith({
        ports: {
          transport: {
            send: (part) => transport.send({ ...part, url: part.url.replace(behind.app.cloud.ossUrl, slow) }),
          },
        },
      })
      const { key } = await client.upload(path, {
        partSizeBytes: 2 * MiB,
        parallel: 1,
        stallTimeoutMs: 200,
        onNotice: (notice) => notice.type === 'retry' && retried.push(notice.of),
      }).done
      expect(await behind.objectSha256(key)).toBe(await sha256OfFile(path))
      expect(retried.every((part) => part === 1)).toBe(true)
    } finally {
      await proxy.close()
    }
  })

  it('may be down for a while before the first byte', async () => {
    const path = await behind.file(3 * MiB, 'down.bin')
    const client = await overLine()
    line.cut()
    const task = client.upload(path, { partSizeBytes: MiB })
    await new Promise((resolve) => setTimeout(resolve, 700))
    line.mend()
    const { key } = await task.done
    expect(await behind.objectSha256(key)).toBe(await sha256OfFile(path))
  })
})
