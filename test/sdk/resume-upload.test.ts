import { copyFile, readFile, truncate, writeFile } from 'node:fs/promises'
import {
  createMemoryRecordStore,
  type RecordStore,
  type UploadNotice,
  type UploadOptions,
  type UploadResult,
} from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { recordKey } from '../../client-sdk/upload-record.ts'
import { partOf, putPart } from '../support/api.ts'
import { interruptUpload } from './interrupt-upload.ts'
import { changeByteUnseen, MiB, sha256OfFile, startUploadBench, type UploadBench, until } from './upload-bench.ts'

let bench: UploadBench
beforeAll(async () => {
  bench = await startUploadBench()
})
beforeEach(() => {
  bench.app.cloud.faults.clear()
  bench.app.cloud.requests.reset()
})
afterAll(() => bench.close())

const sizeBytes = 8 * MiB + 77

const interrupt = (path: string, options?: UploadOptions) => interruptUpload(bench, path, options)

async function storedBytes(id: string): Promise<number> {
  return (await bench.client.getUpload(id, { reconcile: true })).upload.storedBytes
}

async function expectWhole(path: string, result: UploadResult): Promise<void> {
  expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
}

describe('an interrupted upload', () => {
  it('goes on by its record, and sends only what is missing', async () => {
    const path = await bench.file(sizeBytes, 'by-record.bin')
    const recordStore = createMemoryRecordStore()
    const id = await interrupt(path, { recordStore })
    const stored = await storedBytes(id)
    const seen: number[] = []
    const result = await bench.client.upload(path, {
      recordStore,
      progressIntervalMs: 0,
      onProgress: (progress) => seen.push(progress.currentBytes),
    }).done
    expect(result).toMatchObject({ id, sentBytes: sizeBytes - stored })
    expect(seen[0]).toBe(stored)
    await expectWhole(path, result)
  })

  it('goes on without a record, under another name, with another part size: on another device', async () => {
    const path = await bench.file(sizeBytes, 'first-device.bin')
    const id = await interrupt(path)
    const stored = await storedBytes(id)
    const elsewhere = `${bench.directory}/second-device.bin`
    await copyFile(path, elsewhere)
    const notices: UploadNotice[] = []
    const result = await bench.clientWith({}).upload(elsewhere, {
      partSizeBytes: 4 * MiB,
      onNotice: (notice) => notices.push(notice),
    }).done
    expect(result).toMatchObject({ id, sentBytes: sizeBytes - stored })
    expect(notices).toContainEqual({ type: 'resumed', id, restoredBytes: stored })
    await expectWhole(path, result)
  })

  it('is left alone when the caller wants a fresh one', async () => {
    const path = await bench.file(sizeBytes, 'fresh.bin')
    const id = await interrupt(path)
    const result = await bench.client.upload(path, { resume: false }).done
    expect(result.id).not.toBe(id)
    expect(result.sentBytes).toBe(sizeBytes)
  })

  it('reports the total at once when every part is stored, and only completes', async () => {
    const path = await bench.file(3 * MiB, 'all-stored.bin')
    const bytes = await readFile(path)
    const begun = { fileName: 'all.bin', sizeBytes: 3 * MiB, partSizeBytes: MiB, fingerprint: 'all-stored' }
    const { upload } = await bench.client.createUpload(begun)
    const { grants } = await bench.client.grantParts(
      upload.id,
      [1, 2, 3].map((partNumber) => ({ partNumber })),
    )
    for (const grant of grants) await putPart(grant, partOf(bytes, upload, grant.partNumber))
    const seen: number[] = []
    const result = await bench.client.upload(path, {
      fingerprint: 'all-stored',
      progressIntervalMs: 0,
      onProgress: (progress) => seen.push(progress.currentBytes),
    }).done
    expect(result).toMatchObject({ id: upload.id, sentBytes: 0 })
    expect(seen).toEqual([3 * MiB])
    await expectWhole(path, result)
  })

  it('of another file with the same fingerprint is left alone: the file gets an upload of its own', async () => {
    const path = await bench.file(3 * MiB, 'odd-part.bin')
    const recordStore = createMemoryRecordStore()
    const { upload } = await bench.client.createUpload({
      fileName: 'odd.bin',
      sizeBytes: 3 * MiB,
      partSizeBytes: MiB,
      fingerprint: 'odd-part',
    })
    const { grants } = await bench.client.grantParts(upload.id, [{ partNumber: 3 }])
    for (const grant of grants) expect((await putPart(grant, new Uint8Array(MiB))).status).toBe(200)
    bench.app.cloud.requests.reset()
    const notices: UploadNotice[] = []
    const options = { fingerprint: 'odd-part', partSizeBytes: MiB, recordStore }
    const result = await bench.client.upload(path, { ...options, onNotice: (notice) => notices.push(notice) }).done
    expect(result.id).not.toBe(upload.id)
    expect(notices).toContainEqual({ type: 'restarted', previousId: upload.id, reason: 'other-content' })
    await expectWhole(path, result)
    // Nothing was sent into the other one, and nothing of it thrown away.
    expect(bench.partsSent()).toBe(3)
    const { upload: other } = await bench.client.getUpload(upload.id, { reconcile: true })
    expect(other).toMatchObject({ state: 'uploading', storedBytes: MiB })
  })

  it('of perhaps another file survives a cancel that comes before the two were compared', async () => {
    const path = await bench.file(3 * MiB, 'uncompared.bin')
    const { upload } = await bench.client.createUpload({
      fileName: 'other.bin',
      sizeBytes: 3 * MiB,
      partSizeBytes: MiB,
      fingerprint: 'uncompared',
    })
    const { grants } = await bench.client.grantParts(upload.id, [{ partNumber: 1 }])
    for (const grant of grants) await putPart(grant, new Uint8Array(MiB))
    const task = bench.client.upload(path, { fingerprint: 'uncompared' })
    task.pause()
    await until(() => task.id !== undefined, 'the upload was found')
    await task.cancel()
    expect((await bench.client.getUpload(upload.id)).upload.state).toBe('uploading')
  })
})

describe('a source that has changed', () => {
  it('is refused though size and times are the same and one byte of a stored part differs', async () => {
    const path = await bench.file(sizeBytes, 'changed.bin')
    const recordStore = createMemoryRecordStore()
    const id = await interrupt(path, { recordStore, fingerprint: 'changed' })
    await changeByteUnseen(path, MiB / 2)
    const again = bench.client.upload(path, { recordStore, fingerprint: 'changed' })
    await expect(again.done).rejects.toMatchObject({ name: 'ClientException', code: 'source-changed' })
    expect(again.state).toBe('failed')
    const { upload } = await bench.client.getUpload(id)
    expect(upload.state).toBe('uploading')
  })

  it('starts from zero, once, where the options say so, and the old upload is aborted', async () => {
    const path = await bench.file(sizeBytes, 'restarted.bin')
    const recordStore = createMemoryRecordStore()
    const id = await interrupt(path, { recordStore, fingerprint: 'restarted' })
    await changeByteUnseen(path, MiB / 2)
    const notices: UploadNotice[] = []
    const result = await bench.client.upload(path, {
      recordStore,
      fingerprint: 'restarted',
      onSourceChanged: 'restart',
      onNotice: (notice) => notices.push(notice),
    }).done
    expect(result.id).not.toBe(id)
    expect(notices).toContainEqual({ type: 'restarted', previousId: id, reason: 'source-changed' })
    expect((await bench.client.getUpload(id)).upload.state).toMatch(/^abort/)
    await expectWhole(path, result)
  })

  it('is found out by its fingerprint where that differs, and becomes an upload of its own', async () => {
    const path = await bench.file(sizeBytes, 'other.bin')
    const recordStore = createMemoryRecordStore()
    const id = await interrupt(path, { recordStore })
    await changeByteUnseen(path, 0)
    const result = await bench.client.upload(path, { recordStore }).done
    expect(result.id).not.toBe(id)
    await expectWhole(path, result)
  })

  for (const [what, change] of [
    ['shorter', (path: string) => truncate(path, MiB)],
    ['longer', (path: string) => writeFile(path, 'x', { flag: 'a' })],
    ['other bytes under another time', (path: string) => writeFile(path, Buffer.alloc(5 * MiB, 7))],
  ] as const) {
    it(`is noticed while it is being sent: ${what}`, async () => {
      const path = await bench.file(5 * MiB, 'moving.bin')
      bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 100 } })
      const task = bench.client.upload(path, { partSizeBytes: MiB, parallel: 1 })
      await until(() => task.progress.sentBytes > 0, 'a part was sent')
      await change(path)
      await expect(task.done).rejects.toMatchObject({ code: 'source-changed' })
      expect((await bench.client.getUpload(task.id ?? '')).upload.state).toBe('uploading')
    })
  }
})

describe('a record', () => {
  const foreignId = `upl_${'ab'.repeat(16)}`
  const store = (text: string): RecordStore & { deleted: number } => {
    const self = {
      deleted: 0,
      load: async () => text,
      save: async () => {},
      delete: async () => {
        self.deleted += 1
      },
    }
    return self
  }

  for (const [what, text] of [
    ['empty', ''],
    ['cut', '{"version":1,"id":"upl_'],
    ['of another kind', '[1,2,3]'],
    ['huge', 'x'.repeat(1_000_000)],
    ['of the future', JSON.stringify({ version: 99, id: foreignId })],
  ] as const) {
    it(`that is ${what} does not stop an upload`, async () => {
      const path = await bench.file(MiB, 'damaged.bin')
      const result = await bench.client.upload(path, { recordStore: store(text) }).done
      await expectWhole(path, result)
    })
  }

  it('that names an upload the server does not know is replaced, and the caller is told', async () => {
    const path = await bench.file(2 * MiB, 'stale.bin')
    const fingerprint = 'stale'
    const text = { version: 1, server: bench.app.url, id: foreignId, fingerprint, sizeBytes: 2 * MiB, savedAt: 'once' }
    const notices: UploadNotice[] = []
    const recordStore = store(JSON.stringify(text))
    const result = await bench.client.upload(path, { recordStore, fingerprint, onNotice: (n) => notices.push(n) }).done
    expect(notices).toContainEqual({ type: 'restarted', previousId: foreignId, reason: 'not-found' })
    await expectWhole(path, result)
  })

  it('of somebody else’s upload opens no door', async () => {
    const path = await bench.file(2 * MiB, 'foreign.bin')
    const bob = bench.clientWith({ token: () => bench.app.token({ subject: 'bob' }) })
    const fingerprint = 'foreign'
    const { upload } = await bob.createUpload({ fileName: 'bob.bin', sizeBytes: 2 * MiB, fingerprint })
    const recordStore = createMemoryRecordStore()
    const text = { version: 1, server: bench.app.url, id: upload.id, fingerprint, sizeBytes: 2 * MiB, savedAt: 'once' }
    await recordStore.save(recordKey(bench.app.url, fingerprint, path), JSON.stringify(text))
    const result = await bench.client.upload(path, { recordStore, fingerprint }).done
    expect(result.id).not.toBe(upload.id)
  })

  it('that was made to name another upload of the same size does not lead there', async () => {
    const path = await bench.file(2 * MiB, 'bent.bin')
    const other = { fileName: 'other.bin', sizeBytes: 2 * MiB, fingerprint: 'quite-another' }
    const { upload } = await bench.client.createUpload(other)
    const fingerprint = 'bent'
    const text = { version: 1, server: bench.app.url, id: upload.id, fingerprint, sizeBytes: 2 * MiB, savedAt: 'once' }
    const result = await bench.client.upload(path, { recordStore: store(JSON.stringify(text)), fingerprint }).done
    expect(result.id).not.toBe(upload.id)
    expect((await bench.client.getUpload(upload.id)).upload.storedBytes).toBe(0)
    await expectWhole(path, result)
  })

  it('left behind by a run that died after completing gives the finished object, and nothing is sent', async () => {
    const path = await bench.file(3 * MiB, 'finished.bin')
    const recordStore = createMemoryRecordStore()
    const keeping = { ...recordStore, delete: async () => {} }
    const first = await bench.client.upload(path, { recordStore: keeping, partSizeBytes: MiB }).done
    const second = await bench.client.upload(path, { recordStore, partSizeBytes: MiB }).done
    expect(second).toEqual({ ...first, sentBytes: 0 })
    // The record is gone now: a third run is a new upload.
    expect((await bench.client.upload(path, { recordStore }).done).id).not.toBe(first.id)
  })

  it('left behind by a completed upload does not pass a changed file off as uploaded', async () => {
    const path = await bench.file(3 * MiB, 'changed-later.bin')
    const recordStore = createMemoryRecordStore()
    const keeping = { ...recordStore, delete: async () => {} }
    const options = { fingerprint: 'changed-later', partSizeBytes: MiB }
    const first = await bench.client.upload(path, { ...options, recordStore: keeping }).done
    await changeByteUnseen(path, 2 * MiB)
    const second = await bench.client.upload(path, { ...options, recordStore }).done
    expect(second.id).not.toBe(first.id)
    await expectWhole(path, second)
  })
})

describe('an upload that is gone', () => {
  it('starts again by itself and says so: aborted elsewhere before the resume', async () => {
    const path = await bench.file(sizeBytes, 'aborted.bin')
    const recordStore = createMemoryRecordStore()
    const id = await interrupt(path, { recordStore })
    await bench.client.abortUpload(id)
    const notices: UploadNotice[] = []
    const result = await bench.client.upload(path, { recordStore, onNotice: (notice) => notices.push(notice) }).done
    expect(notices).toContainEqual({ type: 'restarted', previousId: id, reason: 'user' })
    expect(result.id).not.toBe(id)
    await expectWhole(path, result)
  })

  it('ends with `upload-ended` when somebody aborts it while it runs', async () => {
    const path = await bench.file(sizeBytes, 'aborted-running.bin')
    bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 80 } })
    const task = bench.client.upload(path, { partSizeBytes: MiB, parallel: 1 })
    await until(() => task.progress.sentBytes > MiB, 'a part was sent')
    await bench.client.abortUpload(task.id ?? '')
    await expect(task.done).rejects.toMatchObject({ code: 'upload-ended' })
  })

  it('starts again when OSS has lost it, as a lifecycle rule makes it', async () => {
    const path = await bench.file(sizeBytes, 'lifecycle.bin')
    const recordStore = createMemoryRecordStore()
    const id = await interrupt(path, { recordStore })
    const { upload } = await bench.client.getUpload(id)
    await bench.app.deps.objects.abortUpload(upload.key, upload.uploadId ?? '')
    const notices: UploadNotice[] = []
    const result = await bench.client.upload(path, { recordStore, onNotice: (notice) => notices.push(notice) }).done
    expect(notices.some((notice) => notice.type === 'restarted')).toBe(true)
    expect(result.id).not.toBe(id)
    await expectWhole(path, result)
  })

  it('starts again when OSS loses it while parts are in flight', async () => {
    const path = await bench.file(sizeBytes, 'lost-running.bin')
    const slow = bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 80 } })
    const notices: UploadNotice[] = []
    const task = bench.client.upload(path, {
      partSizeBytes: MiB,
      parallel: 2,
      onNotice: (notice) => notices.push(notice),
    })
    await until(() => task.progress.sentBytes > MiB, 'a part was sent')
    const { upload } = await bench.client.getUpload(task.id ?? '')
    await bench.app.deps.objects.abortUpload(upload.key, upload.uploadId ?? '')
    bench.app.cloud.faults.remove(slow)
    const result = await task.done
    expect(notices).toContainEqual({ type: 'restarted', previousId: upload.id, reason: 'upload-gone' })
    await expectWhole(path, result)
  })
})

describe('two runs of one file at the same time', () => {
  it('end with one object and the same answer', async () => {
    const path = await bench.file(sizeBytes, 'twice.bin')
    const one = bench.client.upload(path, { partSizeBytes: MiB })
    const two = bench.clientWith({}).upload(path, { partSizeBytes: MiB })
    const [first, second] = await Promise.all([one.done, two.done])
    expect({ ...second, sentBytes: 0 }).toEqual({ ...first, sentBytes: 0 })
    await expectWhole(path, first)
  })
})
