import { afterAll, beforeAll, expect, it } from 'vitest'
import { MiB, startUploadBench, type UploadBench, until } from './upload-bench.ts'

let bench: UploadBench
beforeAll(async () => {
  bench = await startUploadBench()
})
afterAll(() => bench.close())

it('what is stored is said when the page is hidden, by a request that outlives it, and nothing is said afterwards', async () => {
  const hidden = new Set<() => void>()
  const leaving: { path: string; parts: number }[] = []
  const spyingFetch: typeof fetch = (input, init) => {
    if (init?.keepalive) {
      leaving.push({ path: new URL(String(input)).pathname, parts: JSON.parse(String(init.body)).parts.length })
    }
    return fetch(input, init)
  }
  const client = bench.clientWith({
    ports: {
      fetch: spyingFetch,
      lifecycle: {
        onHide(run) {
          hidden.add(run)
          return () => void hidden.delete(run)
        },
        onWake: () => () => {},
      },
    },
  })
  bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs: 80 } })
  const task = client.upload(await bench.file(8 * MiB), {
    partSizeBytes: MiB,
    parallel: 1,
    deleteUploadOnCancelling: false,
  })
  await until(() => task.progress.currentBytes > 3 * MiB, 'three parts were sent')
  for (const run of hidden) run()
  await until(() => leaving.length > 0, 'the checkpoint was on its way')
  expect(leaving[0]?.path).toBe(`/v1/uploads/${task.id}/checkpoint`)
  const said = leaving[0]?.parts ?? 0
  expect(said).toBeGreaterThanOrEqual(1)
  await until(async () => {
    const { upload } = await bench.client.getUpload(task.id ?? '')
    return upload.storedBytes >= said * MiB
  }, 'the server knew')
  await task.cancel()
  expect(hidden.size).toBe(0)
})
