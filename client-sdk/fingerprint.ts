import type { ByteSource } from './byte-source.ts'
import { etagOfMd5, type Hashing } from './hashing.ts'

/** Up to here the whole content is hashed; above, `sampleCount` blocks of `sampleBytes`, evenly spread from the first to the last byte. */
const wholeBytes = 4 * 1_048_576
const sampleCount = 32
const sampleBytes = 65_536

/** The byte ranges a fingerprint is made of. */
export function fingerprintRanges(sizeBytes: number): { start: number; end: number }[] {
  if (sizeBytes <= wholeBytes) return sizeBytes === 0 ? [] : [{ start: 0, end: sizeBytes }]
  return Array.from({ length: sampleCount }, (_, index) => {
    // Multiples of 512 but for the last block, so that samples of a file lie on whole disk blocks.
    const spread = ((sizeBytes - sampleBytes) * index) / (sampleCount - 1)
    const start = index === sampleCount - 1 ? sizeBytes - sampleBytes : Math.floor(spread / 512) * 512
    return { start, end: start + sampleBytes }
  })
}

/**
 * Recognises a file by its size and content, not by its name or times, so that another device finds the upload too. Reads at most
 * 4 MiB of any file. Files that differ only between the samples share a fingerprint: an upload found by it alone is taken for another
 * file's until its stored parts have been compared with the source. Form: `p1:{size}:{MD5 in hex}:{CRC-64 in decimal}`.
 */
export async function fingerprintOf(source: ByteSource, hashing: Hashing, signal?: AbortSignal): Promise<string> {
  const ranges = fingerprintRanges(source.sizeBytes)
  const body = {
    sizeBytes: ranges.reduce((sum, range) => sum + range.end - range.start, 0),
    async *stream() {
      for (const { start, end } of ranges) yield* source.stream(start, end)
    },
    // A Blob of Blobs is a list of references: nothing is read here.
    blob: source.blob && (() => new Blob(ranges.map(({ start, end }) => source.blob?.(start, end) ?? new Blob()))),
  }
  const { md5, crc64 } = await hashing.digest(body, signal)
  return `p1:${source.sizeBytes}:${etagOfMd5(md5).toLowerCase()}:${crc64}`
}
