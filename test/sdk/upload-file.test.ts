import { readFile } from 'node:fs/promises'
import { ClientException, planParts, type UploadProgress } from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, type UploadBench, until } from './upload-bench.ts'

let bench: UploadBench
beforeAll(async () => {
  bench = await startUploadBench()
})
beforeEach(() => {
  bench.takeCalls()
  bench.app.cloud.requests.reset()
})
afterAll(() => bench.close())

describe('a file goes up', () => {
  for (const sizeBytes of [0, 1, MiB - 1, MiB, MiB + 1, 5 * MiB, 9 * MiB + 12_345]) {
    it(`whole, with ${sizeBytes} bytes in parts of 1 MiB`, async () => {
      const path = await bench.file(sizeBytes, `size-${sizeBytes}.bin`)
      const result = await bench.client.upload(path, { partSizeBytes: MiB }).done
      expect(result).toMatchObject({ sizeBytes, sentBytes: sizeBytes })
      expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
      expect(bench.partsSent()).toBe(Math.ceil(sizeBytes / MiB))
      const { upload } = await bench.client.getUpload(result.id)
      expect(upload).toMatchObject({ state: 'completed', etag: result.etag, crc64: result.crc64, key: result.key })
    })
  }

  it('of one part with one PUT and two questions to the server', async () => {
    const path = await bench.file(100_000)
    await bench.client.upload(path).done
    expect(bench.partsSent()).toBe(1)
    expect(bench.takeCalls()).toEqual(['POST /v1/uploads', 'POST /v1/uploads/{id}/complete'])
  })

  it('that is empty without any part', async () => {
    const path = await bench.file(0)
    await bench.client.upload(path).done
    expect(bench.partsSent()).toBe(0)
    expect(bench.takeCalls()).toEqual(['POST /v1/uploads', 'POST /v1/uploads/{id}/complete'])
  })

  for (const name of ['目录 é.bin', 'a*b?.mp4', '~ %20+&#;=.bin', 'x'.repeat(250)]) {
    it(`under its true name: ${name.slice(0, 20)}`, async () => {
      const path = await bench.file(2 * MiB, name)
      const { id, key } = await bench.client.upload(path, { partSizeBytes: MiB }).done
      expect((await bench.client.getUpload(id)).upload.fileName).toBe(name)
      expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    })
  }

  it('under the name, media type and metadata the caller gives', async () => {
    const path = await bench.file(10)
    const task = bench.client.upload(path, { fileName: '../a', contentType: 'video/mp4', metadata: { owner: 'Ann' } })
    const { upload } = await bench.client.getUpload((await task.done).id)
    expect(upload).toMatchObject({ fileName: '../a', contentType: 'video/mp4', metadata: { owner: 'Ann' } })
  })

  it('from a reader of ranges, in one, two or many parts at a time', async () => {
    const path = await bench.file(7 * MiB + 5)
    const bytes = await readFile(path)
    for (const parallel of [1, 2, 16]) {
      const reader = {
        sizeBytes: bytes.length,
        name: 'ranges.bin',
        read: (start: number, end: number) => bytes.subarray(start, end),
      }
      const { key } = await bench.client.upload(reader, { partSizeBytes: MiB, parallel }).done
      expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    }
  })

  it('with parts too large for memory, read twice and streamed', async () => {
    const path = await bench.file(40 * MiB + 1)
    const { key } = await bench.client.upload(path, { partSizeBytes: 17 * MiB }).done
    expect(await bench.objectSha256(key)).toBe(await sha256OfFile(path))
    expect(bench.partsSent()).toBe(3)
  })

  it('asking for grants in batches, and for the first of them with the create call', async () => {
    const path = await bench.file(40 * MiB)
    await bench.client.upload(path, { partSizeBytes: MiB, parallel: 4 }).done
    const grantCalls = bench.takeCalls().filter((call) => call.endsWith('/grants'))
    expect(bench.partsSent()).toBe(40)
    // The create call brings four; of the others the first goes alone, and then four at least at a time.
    expect(grantCalls.length).toBeLessThanOrEqual(11)
    expect(grantCalls.length).toBeGreaterThanOrEqual(1)
  })

  it('in parts that grow with the file, as the server plans them: never over 10,000', async () => {
    const sizeBytes = 10_001 * 8 * MiB
    const reader = { sizeBytes, name: 'large.bin', read: (start: number, end: number) => new Uint8Array(end - start) }
    const task = bench.client.upload(reader, { parallel: 1 })
    await until(() => task.progress.sentBytes > 0, 'the first byte had left')
    const { upload } = await bench.client.getUpload(task.id ?? '')
    const { partSizeBytes, partCount } = planParts(sizeBytes)
    expect(upload).toMatchObject({ partSizeBytes, partCount })
    expect(partCount).toBeLessThanOrEqual(10_000)
    await task.cancel()
  })

  it('reporting progress that only grows, and its end once', async () => {
    const path = await bench.file(6 * MiB)
    const seen: UploadProgress[] = []
    const states: string[] = []
    const task = bench.client.upload(path, {
      partSizeBytes: MiB,
      progressIntervalMs: 0,
      onProgress: (progress) => seen.push(progress),
      onStateChange: (state) => states.push(state),
    })
    expect(task.state).toBe('preparing')
    await task.done
    const amounts = seen.map((progress) => progress.currentBytes)
    expect(amounts).toEqual([...amounts].sort((a, b) => a - b))
    expect(amounts[0]).toBe(0)
    expect(amounts.filter((amount) => amount === 6 * MiB)).toHaveLength(1)
    // Bytes in flight are counted, not whole parts only.
    expect(amounts.some((amount) => amount % MiB !== 0 && amount !== 6 * MiB - 1)).toBe(true)
    expect(states).toEqual(['sending', 'completing', 'completed'])
    expect(task.progress).toMatchObject({ currentBytes: 6 * MiB, sentBytes: 6 * MiB, etaSeconds: 0 })
  })

  it('whose upload can be seen and told by its methods', async () => {
    const { upload, isNew } = await bench.client.createUpload({ fileName: 'by-hand.bin', sizeBytes: 5 })
    expect(isNew).toBe(true)
    expect((await bench.client.listUploads({ state: 'uploading', limit: 1 })).uploads[0]?.id).toBe(upload.id)
    expect((await bench.client.listParts(upload.id)).parts).toEqual([])
    const { grants } = await bench.client.grantParts(upload.id, [{ partNumber: 1 }])
    expect(grants[0]).toMatchObject({ partNumber: 1, sizeBytes: 5 })
    expect(Date.parse((await bench.client.getTime()).now)).toBeGreaterThan(0)
    expect((await bench.client.abortUpload(upload.id)).upload.state).toMatch(/^abort/)
    const tooMany = bench.client.listUploads({ limit: 1000 })
    await expect(tooMany).rejects.toMatchObject({ from: 'server', status: 400, code: 'invalid-request' })
    await expect(bench.client.getUpload(`upl_${'0'.repeat(32)}`)).rejects.toMatchObject({ code: 'upload-not-found' })
  })
})

describe('a file that cannot go up', () => {
  it('is told apart: missing, a directory, options out of bounds', async () => {
    const missing = bench.client.upload(`${bench.directory}/nothing-here`)
    await expect(missing.done).rejects.toMatchObject({ code: 'source-unreadable' })
    expect(missing.state).toBe('failed')
    await expect(bench.client.upload(bench.directory).done).rejects.toThrow('is a directory')
    for (const options of [{ parallel: 0 }, { parallel: 1.5 }, { partSizeBytes: 5 }, { mode: 'ftp' as 'sts' }]) {
      expect(() => bench.client.upload('x', options)).toThrow(ClientException)
    }
    const endless = { sizeBytes: Number.NaN, read: () => new Uint8Array() }
    await expect(bench.client.upload(endless).done).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  it('fails with the server’s problem where the server refuses it', async () => {
    const path = await bench.file(10)
    const strict = bench.clientWith({
      token: () => bench.app.token({ limits: { maxSizeBytes: 5, contentTypes: ['image/png'] } }),
    })
    await expect(strict.upload(path, { contentType: 'image/png' }).done).rejects.toMatchObject({
      code: 'file-too-large',
    })
    const foreign = bench.clientWith({ token: () => 'not.a.token' })
    const error = await foreign.upload(path).done.catch((thrown) => thrown)
    expect(error).toMatchObject({ from: 'server', status: 401, code: 'unauthenticated' })
    expect(error.requestId).toBeTruthy()
  })

  it('leaves no unhandled rejection when nobody looks at it', async () => {
    const seen: unknown[] = []
    const listener = (reason: unknown) => seen.push(reason)
    process.on('unhandledRejection', listener)
    const task = bench.client.upload(`${bench.directory}/nothing-here`)
    while (task.state !== 'failed') await new Promise((resolve) => setImmediate(resolve))
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', listener)
    expect(seen).toEqual([])
  })
})
