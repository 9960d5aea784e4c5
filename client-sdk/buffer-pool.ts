/** A fixed number of equal buffers, made when first needed and used again: the memory an upload may take, however large the file. */
export interface BufferPool {
  /** A free buffer, or undefined: then the bytes are not kept but read again when they are sent. */
  take(): Uint8Array | undefined
  give(buffer: Uint8Array): void
}

export function createBufferPool(count: number, sizeBytes: number): BufferPool {
  const free: Uint8Array[] = []
  let made = 0
  return {
    take() {
      const buffer = free.pop()
      if (buffer || made === count) return buffer
      made += 1
      return new Uint8Array(sizeBytes)
    },
    give: (buffer) => void free.push(buffer),
  }
}
