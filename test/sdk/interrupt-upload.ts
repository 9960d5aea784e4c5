import type { UploadOptions } from '@partway/client/node'
import { expect } from 'vitest'
import { MiB, type UploadBench, until } from './upload-bench.ts'

/** Sends some parts of a file and stops, keeping everything. Returns the upload's id. */
export async function interruptUpload(bench: UploadBench, path: string, options: UploadOptions = {}): Promise<string> {
  const isStored = (task: { progress: { currentBytes: number } }) => task.progress.currentBytes > 3 * MiB
  const rule = bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 60 } })
  const task = bench.client.upload(path, {
    partSizeBytes: MiB,
    parallel: 2,
    deleteUploadOnCancelling: false,
    ...options,
  })
  await until(() => isStored(task), 'three parts were sent')
  await task.cancel()
  bench.app.cloud.faults.remove(rule)
  // As on OSS, a part that had arrived whole when its connection was dropped may still land.
  const { requests } = bench.app.cloud
  const answered = () => [0, 200].reduce((sum, status) => sum + requests.countAnswered('UploadPart', status), 0)
  await until(() => answered() >= requests.count('UploadPart'), 'nothing was in flight')
  expect(task.state).toBe('cancelled')
  const id = task.id ?? ''
  const { upload } = await bench.client.getUpload(id, { reconcile: true })
  expect(upload.state).toBe('uploading')
  expect(upload.storedBytes).toBeGreaterThanOrEqual(2 * MiB)
  bench.app.cloud.requests.reset()
  return id
}
