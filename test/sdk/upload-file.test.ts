import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MiB, sha256OfFile, startUploadBench, type UploadBench } from './upload-bench.ts'

let bench: UploadBench
beforeAll(async () => {
  bench = await startUploadBench()
})
afterAll(() => bench.close())

describe('a file goes up', () => {
  const sizes = [0, 1, MiB - 1, MiB, MiB + 1, 5 * MiB, 9 * MiB + 12_345]
  for (const sizeBytes of sizes) {
    it(`of ${sizeBytes} bytes, whole`, async () => {
      const path = await bench.file(sizeBytes, `size-${sizeBytes}.bin`)
      const result = await bench.client.upload(path, { partSizeBytes: MiB }).done
      expect(result).toMatchObject({ sizeBytes, sentBytes: sizeBytes })
      expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
    })
  }
})
