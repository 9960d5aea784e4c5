import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { createCRC64 } from 'hash-wasm'

/** A file to send, and the sums of what must arrive. */
export interface SampleFile {
  path: string
  sizeBytes: number
  partSizeBytes: number
  partCrc32s: number[]
  /** As OSS prints them. */
  partCrc64s: string[]
  /** Of the whole file, as OSS prints it: a decimal. */
  crc64: string
}

/** Random bytes: one block again and again, numbered, so that no two parts are equal. */
export async function makeSampleFile(
  directory: string,
  { sizeBytes, partSizeBytes, name = `${sizeBytes}.bin` }: { sizeBytes: number; partSizeBytes: number; name?: string },
): Promise<SampleFile> {
  const path = join(directory, name)
  const whole = (await createCRC64()).init()
  const ofPart = (await createCRC64()).init()
  const partCrc32s: number[] = []
  const partCrc64s: string[] = []
  const block = randomBytes(Math.min(partSizeBytes, 2 ** 20))
  const file = await open(path, 'w')
  for (let start = 0, number = 0; start < sizeBytes; number++) {
    // A block never crosses the end of its part.
    const leftOfPart = partSizeBytes - (start % partSizeBytes)
    const bytes = block.subarray(0, Math.min(block.length, leftOfPart, sizeBytes - start))
    if (bytes.length >= 4) bytes.writeUInt32LE(number)
    await file.write(bytes)
    whole.update(bytes)
    const part = Math.floor(start / partSizeBytes)
    partCrc32s[part] = crc32(bytes, partCrc32s[part] ?? 0)
    ofPart.update(bytes)
    start += bytes.length
    if (start % partSizeBytes !== 0 && start < sizeBytes) continue
    partCrc64s[part] = decimal(ofPart.digest())
    ofPart.init()
  }
  // Written out by the system half a minute later, it would hold up whatever is made durable then: the server's rows.
  await file.sync()
  await file.close()
  return { path, sizeBytes, partSizeBytes, partCrc32s, partCrc64s, crc64: decimal(whole.digest()) }
}

const decimal = (hex: string) => BigInt(`0x${hex}`).toString()

/** The CRC-64 of a stored file, as OSS prints it. */
export async function crc64OfFile(path: string): Promise<string> {
  const sum = (await createCRC64()).init()
  const file = await open(path)
  for await (const chunk of file.createReadStream({ highWaterMark: 2 ** 20 })) sum.update(chunk as Buffer)
  return decimal(sum.digest())
}
