import type { BufferPool } from './buffer-pool.ts'
import { type ByteSource, bytesBody, type PartBody, rangeBody } from './byte-source.ts'
import type { PartGrant } from './contract/part.ts'
import { type PartPlan, partRange } from './contract/part-plan.ts'
import type { Hashing, PartDigest } from './hashing.ts'

/** A part whose digest is known, so that a grant can be asked for it. */
export interface PreparedPart {
  partNumber: number
  body: PartBody
  digest: PartDigest
  /** Gives its memory back; the body must not be read afterwards. */
  release(): void
}

export interface GrantedPart extends PreparedPart {
  grant: PartGrant
}

/**
 * Reads a part once and hashes it. Its bytes are kept when a buffer is free; otherwise they pass through and are read again when
 * they are sent, by then mostly from the operating system's cache.
 */
export async function preparePart(
  deps: { source: ByteSource; hashing: Hashing; buffers: BufferPool; plan: PartPlan },
  partNumber: number,
  signal: AbortSignal,
): Promise<PreparedPart> {
  const { start, end } = partRange(deps.plan, partNumber)
  // A Blob is handed over as it is: the platform reads it, and holding its bytes here would only cost memory.
  const buffer = deps.source.blob ? undefined : deps.buffers.take()
  let isHeld = buffer !== undefined
  const release = () => {
    if (buffer && isHeld) deps.buffers.give(buffer)
    isHeld = false
  }
  try {
    const body = buffer ? bytesBody(await deps.source.read(start, end, buffer)) : rangeBody(deps.source, start, end)
    return { partNumber, body, digest: await deps.hashing.digest(body, signal), release }
  } catch (error) {
    release()
    throw error
  }
}
