import { createHash } from 'node:crypto'
import { createMemoryRecordStore, type UploadNotice } from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { putPart } from '../support/api.ts'
import { type BrokenLine, startBrokenLine } from './broken-line.ts'
import { MiB, sha256OfFile, startUploadBench, type UploadBench, until } from './upload-bench.ts'

let bench: UploadBench
let line: BrokenLine
beforeAll(async () => {
  bench = await startUploadBench()
  line = await startBrokenLine(bench.app.url)
})
beforeEach(() => {
  line.mend()
  bench.app.cloud.faults.clear()
  bench.app.cloud.requests.reset()
  bench.takeCalls()
})
afterAll(async () => {
  await line.close()
  await bench.close()
})

/** A client whose requests to the server pass `before` first. */
function clientBehind(before: (call: string, body: unknown) => Promise<Response | undefined>) {
  return bench.clientWith({
    ports: {
      async fetch(input, init) {
        const path = new URL(String(input)).pathname.replace(/upl_[0-9a-f]{32}/, '{id}')
        const body = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
        return (await before(`${init?.method} ${path}`, body)) ?? fetch(input, init)
      },
    },
  })
}

const unavailable = () =>
  Response.json(
    { type: 'x', title: 'x', status: 503, code: 'database-unavailable' },
    { status: 503, headers: { 'retry-after': '0' } },
  )

describe('a server that is away', () => {
  it('is waited for before the upload, in the middle of it, and at its end', async () => {
    const path = await bench.file(24 * MiB, 'away.bin')
    const client = bench.clientWith({ baseUrl: line.url })
    line.cut()
    const task = client.upload(path, { partSizeBytes: MiB, parallel: 2 })
    const outage = async () => {
      line.cut()
      await new Promise((resolve) => setTimeout(resolve, 400))
      line.mend()
    }
    await outage()
    await until(() => task.progress.sentBytes > 8 * MiB, 'a third was sent')
    await outage()
    await until(() => task.progress.sentBytes > 16 * MiB, 'two thirds were sent')
    await outage()
    const { key } = await task.done
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
  })

  it('for good ends in `network`, with the server’s name and what to hope for', async () => {
    const path = await bench.file(MiB, 'gone.bin')
    line.cut()
    const client = bench.clientWith({ baseUrl: line.url, retry: { maxAttempts: 3, baseMs: 1 } })
    await expect(client.upload(path).done).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining(line.url),
    })
  })

  it('does not stop parts whose grants are there', async () => {
    const path = await bench.file(4 * MiB, 'granted.bin')
    const client = bench.clientWith({ baseUrl: line.url })
    bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 100 } })
    const task = client.upload(path, { partSizeBytes: MiB, parallel: 4 })
    await until(() => task.progress.sentBytes > 0, 'the first bytes had left')
    line.cut()
    await until(() => task.progress.currentBytes === 4 * MiB, 'every part was stored')
    line.mend()
    await task.done
  })
})

describe('a checkpoint', () => {
  it('that always fails stops nothing', async () => {
    const path = await bench.file(80 * MiB, 'no-checkpoint.bin')
    let refused = 0
    const client = clientBehind(async (call) => {
      if (!call.endsWith('/checkpoint')) return undefined
      refused += 1
      return unavailable()
    })
    const { key } = await client.upload(path, { partSizeBytes: MiB }).done
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    expect(refused).toBeGreaterThan(0)
  })

  it('that never answers stops nothing', async () => {
    const path = await bench.file(80 * MiB, 'silent-checkpoint.bin')
    const client = clientBehind((call) =>
      call.endsWith('/checkpoint') ? new Promise(() => {}) : Promise.resolve(undefined),
    )
    const { key } = await client.upload(path, { partSizeBytes: MiB }).done
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
  })

  it('is said in batches', async () => {
    const path = await bench.file(80 * MiB, 'batches.bin')
    await bench.client.upload(path, { partSizeBytes: MiB }).done
    expect(bench.takeCalls().filter((call) => call.endsWith('/checkpoint')).length).toBeLessThanOrEqual(5)
  })
})

describe('completion', () => {
  it('survives lost replies, on either side of the server', async () => {
    const path = await bench.file(3 * MiB, 'lost.bin')
    bench.app.cloud.faults.add({
      match: { verb: 'CompleteMultipartUpload' },
      times: 1,
      effect: { kind: 'cut', at: 'reply' },
    })
    let lost = 0
    const client = bench.clientWith({
      ports: {
        async fetch(input, init) {
          const response = await fetch(input, init)
          if (!String(input).endsWith('/complete') || lost >= 2) return response
          lost += 1
          await response.text()
          throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } })
        },
      },
    })
    const { key } = await client.upload(path, { partSizeBytes: MiB }).done
    expect(lost).toBe(2)
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
  })

  it('sends exactly the parts again that turn out to be missing', async () => {
    const path = await bench.file(6 * MiB, 'missing.bin')
    const recordStore = createMemoryRecordStore()
    bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 50 } })
    const first = bench.client.upload(path, {
      partSizeBytes: MiB,
      parallel: 1,
      recordStore,
      deleteUploadOnCancelling: false,
    })
    await until(() => first.progress.sentBytes > 2 * MiB, 'two parts were stored')
    await first.cancel()
    bench.app.cloud.faults.clear()
    // The list of parts claims, with the right checksums, two that OSS does not hold.
    const bytes = await (await import('node:fs/promises')).readFile(path)
    const { crc64Of } = await import('../support/api.ts')
    const lie = (partNumber: number) => {
      const part = bytes.subarray((partNumber - 1) * MiB, partNumber * MiB)
      const etag = createHash('md5').update(part).digest('hex').toUpperCase()
      return { partNumber, sizeBytes: MiB, etag, crc64: crc64Of(part) }
    }
    const client = bench.clientWith({
      ports: {
        async fetch(input, init) {
          const response = await fetch(input, init)
          if (!new URL(String(input)).pathname.endsWith('/parts')) return response
          const page = (await response.json()) as { parts: { partNumber: number }[] }
          const parts = [...page.parts.filter((part) => part.partNumber < 5), lie(5), lie(6)]
          return Response.json({ parts, nextAfter: null })
        },
      },
    })
    const sentBefore = bench.partsSent()
    const { key, sentBytes } = await client.upload(path, { recordStore }).done
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    expect(bench.partsSent() - sentBefore).toBe(sentBytes / MiB)
    expect(sentBytes).toBeLessThanOrEqual(4 * MiB)
  })

  for (const parts of [4, 80]) {
    it(`cures a part that somebody overwrote, in an upload of ${parts} parts`, async () => {
      const path = await bench.file(parts * MiB, `overwritten-${parts}.bin`)
      const notices: UploadNotice[] = []
      let completions = 0
      const client = clientBehind(async (call) => {
        if (!call.endsWith('/complete')) return undefined
        completions += 1
        if (completions > 1) return undefined
        const { grants } = await bench.client.grantParts(task.id ?? '', [{ partNumber: 2 }])
        for (const grant of grants) expect((await putPart(grant, new Uint8Array(MiB).fill(7))).status).toBe(200)
        return undefined
      })
      const task = client.upload(path, { partSizeBytes: MiB, onNotice: (notice) => notices.push(notice) })
      const { key, sentBytes } = await task.done
      expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
      expect(sentBytes).toBe((parts + 1) * MiB)
      expect(completions).toBe(2)
    })
  }

  it('gives up when the same parts are refused over and over', async () => {
    const path = await bench.file(2 * MiB, 'refused.bin')
    const client = clientBehind(async (call) =>
      call.endsWith('/complete')
        ? Response.json(
            {
              type: 'x',
              title: 'Parts differ',
              status: 409,
              code: 'part-mismatch',
              parts: [{ partNumber: 1, reason: 'etag' }],
            },
            { status: 409 },
          )
        : undefined,
    )
    const task = client.upload(path, { partSizeBytes: MiB })
    await expect(task.done).rejects.toMatchObject({ from: 'server', code: 'part-mismatch' })
    expect(bench.partsSent()).toBe(2 + 5)
  })

  it('that takes OSS too long ends in `timeout`, and nothing is lost', async () => {
    const path = await bench.file(2 * MiB, 'slow-join.bin')
    const client = clientBehind(async (call) => {
      if (!call.endsWith('/complete')) return undefined
      const { upload } = await bench.client.getUpload(task.id ?? '')
      return Response.json({ upload: { ...upload, state: 'completing' } }, { status: 202 })
    })
    const task = client.upload(path, { partSizeBytes: MiB, completeTimeoutMs: 300 })
    await expect(task.done).rejects.toMatchObject({ code: 'timeout' })
    const again = await bench.client.upload(path).done
    expect(again).toMatchObject({ id: task.id, sentBytes: 0 })
  })
})

describe('a token', () => {
  it('that runs out in the middle is replaced once, and the upload goes on', async () => {
    const path = await bench.file(24 * MiB, 'token.bin')
    const outdated = bench.app.token({ ttlSeconds: 300 })
    let asked = 0
    let refused = 0
    const client = bench.clientWith({
      token: () => {
        asked += 1
        return asked === 1 ? outdated : bench.app.token()
      },
      ports: {
        async fetch(input, init) {
          const isOutdated = new Headers(init?.headers).get('authorization') === `Bearer ${outdated}`
          const hasRunOut = isOutdated && bench.partsSent() > 6
          if (hasRunOut) refused += 1
          return hasRunOut
            ? fetch(input, { ...init, headers: { authorization: 'Bearer out.of.time' } })
            : fetch(input, init)
        },
      },
    })
    const { key } = await client.upload(path, { partSizeBytes: MiB, parallel: 3 }).done
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    expect(refused).toBeGreaterThan(0)
    expect(asked).toBe(2)
  })
})
