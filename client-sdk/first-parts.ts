import { type BufferPool, createBufferPool } from './buffer-pool.ts'
import type { ByteSource } from './byte-source.ts'
import { type PartPlan, partSize } from './contract/part-plan.ts'
import type { Hashing } from './hashing.ts'
import { type PreparedPart, preparePart } from './prepared-part.ts'

/** Bytes hashed before the create call, at most, unless the first part alone is larger: nobody waits a minute for a first byte. */
const maxFirstBytes = 64 * 1_048_576

/**
 * What is kept of hashed parts until they are sent: enough that small files are read once, and no more. Larger parts come again from the
 * operating system's cache, which costs a twentieth of hashing them. Memory for them would grow with `parallel`, and to be given it by
 * the system for the first time takes longer than to hash what is put there: 50 ms for 8 MiB.
 */
const keptBytes = 4 * 1_048_576

/** A buffer for each part in flight, as far as {@link keptBytes} goes. */
export function buffersFor(plan: PartPlan, parallel: number): BufferPool {
  const sizeBytes = Math.min(plan.partSizeBytes, plan.sizeBytes)
  return createBufferPool(Math.min(parallel, plan.partCount, Math.floor(keptBytes / Math.max(1, sizeBytes))), sizeBytes)
}

/** Hashes the parts whose grants are to come with the create call, so that the first byte leaves after one round trip. */
export async function prepareFirstParts(
  deps: { source: ByteSource; hashing: Hashing; buffers: BufferPool; plan: PartPlan },
  parallel: number,
  signal: AbortSignal,
): Promise<PreparedPart[]> {
  const parts: PreparedPart[] = []
  let bytes = 0
  for (let partNumber = 1; partNumber <= Math.min(parallel, deps.plan.partCount); partNumber++) {
    bytes += partSize(deps.plan, partNumber)
    if (partNumber > 1 && bytes > maxFirstBytes) break
    parts.push(await preparePart(deps, partNumber, signal))
  }
  return parts
}
