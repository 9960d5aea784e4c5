import { createHash, randomBytes } from 'node:crypto'
import { access, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ClientException,
  createDirectoryRecordStore,
  createMemoryRecordStore,
  isOssError,
  isServerProblem,
  ServiceException,
  type UploadNotice,
  type UploadOptions,
  type UploadTask,
} from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { answerJson, type CallbackApp, startCallbackApp } from '../support/callback-app.ts'
import { changeByteUnseen, MiB, sha256OfFile, startUploadBench, type UploadBench, until } from './upload-bench.ts'

/* What users of Alibaba Cloud's mobile SDKs know resumable upload to do, one test for each line of it. Where that SDK is known to do otherwise
 * (Android 2.9.20), the right thing is tested here, and the name says so. */

let application: CallbackApp
let bench: UploadBench
beforeAll(async () => {
  application = await startCallbackApp()
  bench = await startUploadBench({ environment: { CALLBACK_ALLOWED_ORIGINS: application.url } })
})
beforeEach(() => {
  bench.app.cloud.faults.clear()
  bench.app.cloud.requests.reset()
  application.received = []
  application.answer = (response) => answerJson(response, { Status: 'OK' })
})
afterAll(async () => {
  await bench.close()
  await application.close()
})

const sizeBytes = 6 * MiB + 77
const partCount = 7
const small: UploadOptions = { partSizeBytes: MiB, parallel: 2 }
const sent = () => bench.partsSent()
const stored = () => bench.app.cloud.requests.countAnswered('UploadPart', 200)
/** However a part can end: dropped, stored, refused, or too late for an upload that was given up meanwhile. */
const answers = Array.from({ length: 600 }, (_, status) => status)
const inFlight = () =>
  sent() - answers.reduce((sum, status) => sum + bench.app.cloud.requests.countAnswered('UploadPart', status), 0)
const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

/** Runs until at least three parts are stored, then stops as `stop` says. Resolves with the upload's id when nothing is in flight. */
async function interrupted(
  path: string,
  options: UploadOptions,
  stop: (task: UploadTask) => Promise<void>,
  client = bench.client,
): Promise<string> {
  const rule = bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 80 } })
  const task = client.upload(path, { ...small, ...options })
  await until(() => stored() >= 3, 'three parts were stored')
  await stop(task)
  bench.app.cloud.faults.remove(rule)
  await until(() => inFlight() <= 0, 'nothing was in flight')
  bench.app.cloud.requests.reset()
  return task.id ?? ''
}
const cancel = (task: UploadTask) => task.cancel()

async function expectWhole(path: string, task: UploadTask): Promise<void> {
  const result = await task.getResult()
  expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
}

/** What nobody does by accident: other bytes of the same length, with a grant of the owner. */
async function replacePart(id: string, partNumber: number): Promise<void> {
  const bytes = randomBytes(MiB)
  const md5 = createHash('md5').update(bytes).digest('base64')
  const { grants } = await bench.client.grantParts(id, [{ partNumber, md5 }])
  for (const { url, method, headers } of grants) await fetch(url, { method, headers, body: bytes })
}

describe('resumable upload', () => {
  it('without a record directory resumes inside the run', async () => {
    const path = await bench.file(sizeBytes, 'inside.bin')
    bench.app.cloud.faults.add({
      match: { verb: 'UploadPart' },
      times: 5,
      after: 2,
      effect: { kind: 'cut', at: 'body', afterBytes: 99 },
    })
    const task = bench.client.upload(path, { ...small, recordStore: null })
    await expectWhole(path, task)
    expect(sent()).toBe(partCount + 5)
  })

  it('without a record directory, and without the server’s memory of the file, starts afresh after the run', async () => {
    const path = await bench.file(sizeBytes, 'afresh.bin')
    const options = { recordStore: null, resume: false, deleteUploadOnCancelling: false }
    const first = await interrupted(path, options, cancel)
    const task = bench.client.upload(path, { ...small, ...options })
    await expectWhole(path, task)
    expect(task.id).not.toBe(first)
    expect(sent()).toBe(partCount)
  })

  it('with a record directory resumes after a restart of the process, and sends only what is missing', async () => {
    const path = await bench.file(sizeBytes, 'restart.bin')
    const directory = join(bench.directory, 'records')
    const first = await interrupted(
      path,
      { recordStore: createDirectoryRecordStore(directory), deleteUploadOnCancelling: false },
      cancel,
    )
    // Nothing of the first run but its files.
    const again = bench.clientWith({}).upload(path, { ...small, recordStore: createDirectoryRecordStore(directory) })
    await expectWhole(path, again)
    expect(again.id).toBe(first)
    expect(sent()).toBeLessThanOrEqual(partCount - 3)
    expect(await readdir(directory)).toEqual([])
  })

  it('creates the record directory if it is missing (the reference SDK throws)', async () => {
    const directory = join(bench.directory, 'not', 'there', 'yet')
    const path = await bench.file(sizeBytes, 'created.bin')
    const task = bench.client.upload(path, { ...small, recordStore: createDirectoryRecordStore(directory) })
    await until(async () => (await exists(directory)) && (await readdir(directory)).length === 1, 'there was a record')
    await task.waitUntilFinished()
    expect(task.state).toBe('completed')
    await rm(directory, { recursive: true })
  })
})

describe('the progress callback', () => {
  it('tells currentBytes and totalBytes, never goes backwards, and reaches the total exactly once, in spite of parts sent again', async () => {
    const path = await bench.file(sizeBytes, 'progress.bin')
    bench.app.cloud.faults.add({
      match: { verb: 'UploadPart', partNumber: [2, 5] },
      times: 4,
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable', at: 'after-commit' },
    })
    const seen: [number, number][] = []
    const task = bench.client.upload(path, {
      ...small,
      progressIntervalMs: 0,
      onProgress: ({ currentBytes, totalBytes }) => seen.push([currentBytes, totalBytes]),
    })
    await task.getResult()
    expect(new Set(seen.map(([, total]) => total))).toEqual(new Set([sizeBytes]))
    expect(seen.map(([current]) => current)).toEqual(seen.map(([current]) => current).sort((a, b) => a - b))
    expect(seen.filter(([current]) => current === sizeBytes)).toHaveLength(1)
  })

  it('reports the restored amount on resume, first of all', async () => {
    const path = await bench.file(sizeBytes, 'restored.bin')
    const recordStore = createMemoryRecordStore()
    const id = await interrupted(path, { recordStore, deleteUploadOnCancelling: false }, cancel)
    const { upload } = await bench.client.getUpload(id, { reconcile: true })
    const seen: number[] = []
    const task = bench.client.upload(path, {
      ...small,
      recordStore,
      progressIntervalMs: 0,
      onProgress: ({ currentBytes }) => seen.push(currentBytes),
    })
    expect(await task.getResult()).toMatchObject({ sentBytes: sizeBytes - upload.storedBytes })
    expect(seen[0]).toBe(upload.storedBytes)
    expect(task.progress.restoredBytes).toBe(upload.storedBytes)
  })
})

describe('the asynchronous task', () => {
  it('succeeds: waitUntilFinished() ends, getResult() gives the result, isCompleted is true and isCanceled false', async () => {
    const path = await bench.file(2 * MiB, 'succeeds.bin')
    const task = bench.client.upload(path, small)
    expect([task.isCompleted, task.isCanceled]).toEqual([false, false])
    await task.waitUntilFinished()
    expect([task.isCompleted, task.isCanceled]).toEqual([true, false])
    expect(await task.getResult()).toBe(await task.done)
  })

  it('fails: waitUntilFinished() throws nothing, and getResult() throws a ServiceException with status, code, request id and host id', async () => {
    const path = await bench.file(2 * MiB, 'fails.bin')
    bench.app.cloud.faults.add({
      match: { verb: 'UploadPart' },
      effect: { kind: 'answer', status: 403, code: 'UserDisable' },
    })
    const task = bench.client.upload(path, small)
    await task.waitUntilFinished()
    expect([task.isCompleted, task.isCanceled, task.state]).toEqual([true, false, 'failed'])
    const error = await task.getResult().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ServiceException)
    expect(error).not.toBeInstanceOf(ClientException)
    expect(isOssError(error) && error).toMatchObject({
      status: 403,
      code: 'UserDisable',
      requestId: expect.stringMatching(/^[0-9A-F]{24}$/),
      hostId: new URL(bench.app.cloud.ossUrl).host,
    })
  })

  it('fails with a ServiceException of the server where the server refuses, told apart from OSS’s', async () => {
    const path = await bench.file(10, 'refused.bin')
    const task = bench.client.upload(path, { callback: { url: 'https://elsewhere.example.com/', body: 'x' } })
    const error = await task.getResult().catch((thrown: unknown) => thrown)
    expect([isServerProblem(error), isOssError(error)]).toEqual([true, false])
    expect(error).toMatchObject({ status: 400, code: 'invalid-request', requestId: expect.stringMatching(/./) })
  })

  it('fails with a ClientException where no service has answered', async () => {
    const task = bench.client.upload(join(bench.directory, 'missing.bin'), small)
    const error = await task.getResult().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ClientException)
    expect(error).not.toBeInstanceOf(ServiceException)
  })

  it('is canceled: isCanceled at once, isCompleted when nothing is in flight, and getResult() throws the ClientException `cancelled`', async () => {
    const path = await bench.file(sizeBytes, 'canceled.bin')
    bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 300 } })
    const task = bench.client.upload(path, small)
    await until(() => sent() > 0, 'a part was on its way')
    const cancelling = task.cancel()
    expect([task.isCompleted, task.isCanceled]).toEqual([false, true])
    await cancelling
    expect([task.isCompleted, task.isCanceled]).toEqual([true, true])
    await expect(task.getResult()).rejects.toMatchObject({ code: 'cancelled' })
    await expect(task.getResult()).rejects.toBeInstanceOf(ClientException)
    // Counted from zero in the next test.
    await until(() => inFlight() <= 0, 'nothing was in flight')
  })

  it('is not canceled by a cancel() that comes when everything is over', async () => {
    const path = await bench.file(10, 'over.bin')
    const task = bench.client.upload(path)
    await task.waitUntilFinished()
    await task.cancel()
    expect([task.isCompleted, task.isCanceled, task.state]).toEqual([true, false, 'completed'])
  })
})

describe('cancelling', () => {
  it('with deleteUploadOnCancelling true, the default, aborts the upload in OSS and deletes the record, so that the next run starts at zero', async () => {
    const path = await bench.file(sizeBytes, 'delete.bin')
    const directory = join(bench.directory, 'deleted-records')
    const recordStore = createDirectoryRecordStore(directory)
    const id = await interrupted(path, { recordStore }, cancel)
    expect(await readdir(directory)).toEqual([])
    expect((await bench.client.getUpload(id)).upload).toMatchObject({ state: 'aborted', abortReason: 'user' })
    const again = bench.client.upload(path, { ...small, recordStore })
    await expectWhole(path, again)
    expect(again.id).not.toBe(id)
    expect(sent()).toBe(partCount)
  })

  it('with deleteUploadOnCancelling false keeps both, and the next run resumes', async () => {
    const path = await bench.file(sizeBytes, 'keep.bin')
    const directory = join(bench.directory, 'kept-records')
    const recordStore = createDirectoryRecordStore(directory)
    const id = await interrupted(path, { recordStore, deleteUploadOnCancelling: false }, cancel)
    expect(await readdir(directory)).toHaveLength(1)
    expect((await bench.client.getUpload(id)).upload.state).toBe('uploading')
    const again = bench.client.upload(path, { ...small, recordStore })
    await expectWhole(path, again)
    expect(again.id).toBe(id)
    expect(sent()).toBeLessThanOrEqual(partCount - 3)
  })

  it.each([true, false])(
    'stops requests in flight within a second (deleteUploadOnCancelling %s), also in the middle of a body',
    async (deleteUploadOnCancelling) => {
      const path = await bench.file(64 * MiB, `flight-${deleteUploadOnCancelling}.bin`)
      const task = bench.client.upload(path, { partSizeBytes: 32 * MiB, parallel: 2, deleteUploadOnCancelling })
      await until(() => task.progress.sentBytes > 0, 'bytes were moving')
      const cancelling = task.cancel()
      const atCancel = task.progress.sentBytes
      await new Promise((resolve) => setTimeout(resolve, 1000))
      // No byte more, and the cloud has seen every connection end.
      expect(task.progress.sentBytes).toBe(atCancel)
      await cancelling
      await until(() => inFlight() <= 0, 'no part was in flight')
      expect(task.state).toBe('cancelled')
      if (!deleteUploadOnCancelling && task.id) await bench.client.abortUpload(task.id)
    },
  )
})

describe('integrity', () => {
  it('is checked by the MD5 of every part by default: a part corrupted on its way is re-sent, not accepted', async () => {
    const path = await bench.file(sizeBytes, 'md5.bin')
    bench.app.cloud.faults.add({
      match: { verb: 'UploadPart', partNumber: [1, 4] },
      times: 2,
      effect: { kind: 'corrupt', what: 'received' },
    })
    const task = bench.client.upload(path, small)
    await expectWhole(path, task)
    expect(bench.app.cloud.requests.countAnswered('UploadPart', 400)).toBe(2)
    expect(stored()).toBe(partCount)
  })

  it.each(['in one run', 'after a resume'])(
    'is checked by the CRC-64 of the whole object (%s): a part that was replaced in OSS is found and sent again',
    async (when) => {
      const path = await bench.file(sizeBytes, `crc-${when}.bin`)
      const options = { recordStore: createMemoryRecordStore(), deleteUploadOnCancelling: false }
      let isReplaced = false
      // Without checkpoints the server knows nothing of the parts but what OSS holds.
      const client = bench.clientWith({
        ports: {
          fetch: async (input, init) => {
            const path = new URL(String(input)).pathname
            if (path.endsWith('/checkpoint')) return new Response(null, { status: 503 })
            if (path.endsWith('/complete') && !isReplaced) await replacePart(path.split('/')[3] ?? '', 2)
            isReplaced ||= path.endsWith('/complete')
            return bench.fetch(input, init)
          },
        },
      })
      if (when === 'after a resume') await interrupted(path, options, cancel, client)
      await expectWhole(path, client.upload(path, { ...small, ...options }))
      expect(isReplaced).toBe(true)
    },
  )

  it('is checked by the CRC-64 of the whole object on this side too, should the server not', async () => {
    const path = await bench.file(2 * MiB, 'crc-reply.bin')
    const client = bench.clientWith({
      ports: {
        fetch: async (input, init) => {
          const reply = await bench.fetch(input, init)
          if (!String(input).endsWith('/complete')) return reply
          const body = await reply.json()
          return Response.json({ ...body, upload: { ...body.upload, crc64: '1' } })
        },
      },
    })
    await expect(client.upload(path, small).getResult()).rejects.toMatchObject({ code: 'corrupted' })
  })

  it('is checked by the CRC-64 of the whole object after a crash and resume too (the reference SDK loses its part CRCs and skips the check)', async () => {
    const path = await bench.file(sizeBytes, 'crash.bin')
    const recordStore = createMemoryRecordStore()
    const id = await interrupted(path, { recordStore, deleteUploadOnCancelling: false }, cancel)
    // The bytes of a part that is stored already change, and nothing else of the file: only reading it again can tell.
    await changeByteUnseen(path, MiB / 2)
    const changed = bench.client.upload(path, { ...small, recordStore })
    await expect(changed.getResult()).rejects.toMatchObject({ code: 'source-changed' })
    await changeByteUnseen(path, MiB / 2)
    const whole = bench.client.upload(path, { ...small, recordStore })
    await expectWhole(path, whole)
    const { upload } = await bench.client.getUpload(id)
    expect([upload.state, upload.crc64]).toEqual(['completed', (await whole.getResult()).crc64])
  })
})

describe('the upload callback', () => {
  const callback = () => ({
    url: `${application.url}/done`,
    body: 'object=${object}&by=${x:by}',
    vars: { 'x:by': 'sdk' },
  })

  it('is run by OSS at complete, and the result carries the application’s answer', async () => {
    const path = await bench.file(2 * MiB, 'callback.bin')
    const result = await bench.client.upload(path, { ...small, callback: callback() }).getResult()
    expect(result.callbackResult).toEqual({ status: 200, body: '{"Status":"OK"}' })
    expect(Object.fromEntries(new URLSearchParams(application.received[0]?.body))).toEqual({
      object: result.key,
      by: 'sdk',
    })
  })

  it('that fails leaves the upload completed, with 203 (the reference SDK throws, keeps its record, and sends everything again)', async () => {
    application.answer = (response) => answerJson(response, {}, 500)
    const path = await bench.file(2 * MiB, 'callback-fails.bin')
    const task = bench.client.upload(path, { ...small, callback: callback() })
    await expectWhole(path, task)
    expect((await task.getResult()).callbackResult).toEqual({ status: 203, body: 'Error status : 500.' })
    expect(application.received).toHaveLength(1)
  })

  it('whose answer was lost with the reply gives null: OSS never repeats one', async () => {
    const path = await bench.file(2 * MiB, 'callback-lost.bin')
    bench.app.cloud.faults.add({
      match: { verb: 'CompleteMultipartUpload' },
      times: 1,
      effect: { kind: 'cut', at: 'reply' },
    })
    const result = await bench.client.upload(path, { ...small, callback: callback() }).getResult()
    expect(result.callbackResult).toBeNull()
    expect(application.received).toHaveLength(1)
  })
})

describe('NoSuchUpload on resume', () => {
  it.each(['expired by a lifecycle rule', 'aborted elsewhere'])(
    '(%s) restarts once by itself and says so',
    async (how) => {
      const path = await bench.file(sizeBytes, `gone-${how}.bin`)
      const recordStore = createMemoryRecordStore()
      const id = await interrupted(path, { recordStore, deleteUploadOnCancelling: false }, cancel)
      const { upload } = await bench.client.getUpload(id)
      if (how === 'aborted elsewhere') await bench.client.abortUpload(id)
      else await bench.app.deps.objects.abortUpload(upload.key, upload.uploadId ?? '')
      const notices: UploadNotice[] = []
      const task = bench.client.upload(path, { ...small, recordStore, onNotice: (notice) => notices.push(notice) })
      await expectWhole(path, task)
      expect(notices.filter(({ type }) => type === 'restarted')).toEqual([expect.objectContaining({ previousId: id })])
      expect(task.id).not.toBe(id)
      expect(sent()).toBe(partCount)
    },
  )

  it('in the middle of sending restarts as well (the reference SDK fails, and heals only in its next run)', async () => {
    const path = await bench.file(sizeBytes, 'gone-midway.bin')
    const notices: UploadNotice[] = []
    // So that it is not done before it is gone, and no part that lands meanwhile brings it back.
    const { faults } = bench.app.cloud
    const busy = faults.add({
      match: { verb: 'UploadPart', partNumber: [5, 6, 7] },
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
    })
    const task = bench.client.upload(path, { ...small, onNotice: (notice) => notices.push(notice) })
    await until(() => stored() === 4, 'four parts were stored')
    const { upload } = await bench.client.getUpload(task.id ?? '')
    await bench.app.deps.objects.abortUpload(upload.key, upload.uploadId ?? '')
    faults.remove(busy)
    await expectWhole(path, task)
    expect(notices.filter(({ type }) => type === 'restarted')).toHaveLength(1)
  })
})

describe('a part size', () => {
  it.each([2, 5])(
    'changed to %i MiB between runs never breaks a resume (the reference SDK throws, or orphans the upload)',
    async (mebibytes) => {
      const path = await bench.file(sizeBytes, `part-size-${mebibytes}.bin`)
      const recordStore = createMemoryRecordStore()
      const id = await interrupted(path, { recordStore, deleteUploadOnCancelling: false }, cancel)
      const task = bench.client.upload(path, { ...small, recordStore, partSizeBytes: mebibytes * MiB })
      await expectWhole(path, task)
      expect(task.id).toBe(id)
      expect(task.parts?.plan.partSizeBytes).toBe(MiB)
      expect(sent()).toBeLessThanOrEqual(partCount - 3)
    },
  )
})
