import { md5 as plainMd5 } from '@noble/hashes/legacy.js'
import { createCRC64, createMD5 } from 'hash-wasm'
import { onAbort } from '../abort-link.ts'
import { crc64 as plainCrc64 } from '../contract/crc64.ts'
import type { PartDigest } from '../hashing.ts'

/** MD5 and CRC-64 of one run of bytes after another. */
export interface PartHasher {
  /** Forgets what came before. Without MD5, `digest` tells that of nothing. */
  begin(withMd5?: boolean): void
  update(bytes: Uint8Array): void
  digest(): PartDigest
}

/**
 * Hashers that are used again: making one costs more than hashing a small part. Only a few are in use at once, since each holds pieces of
 * a file in memory, and one core hashes no faster with more.
 */
export interface PartHashers {
  /** A hasher that begins anew, when one is free; rejects with the signal's reason when it aborts first. */
  take(signal?: AbortSignal, withMd5?: boolean): Promise<PartHasher>
  give(hasher: PartHasher): void
}

const maxHashers = 4

export function createPartHashers(): PartHashers {
  const free: PartHasher[] = []
  const waiting = new Set<(hasher: PartHasher) => void>()
  let made = 0
  let mayCompile = true

  async function make(): Promise<PartHasher> {
    if (mayCompile) {
      try {
        return await compiledHasher()
      } catch {
        // A Content-Security-Policy without 'wasm-unsafe-eval', or a browser in lockdown mode. It would say so again each time.
        mayCompile = false
      }
    }
    return plainHasher()
  }

  function freed(signal: AbortSignal | undefined): Promise<PartHasher> {
    return new Promise((resolve, reject) => {
      const go = (hasher: PartHasher) => {
        waiting.delete(go)
        forget?.()
        resolve(hasher)
      }
      const forget = signal && onAbort(signal, () => waiting.delete(go) && reject(signal.reason))
      waiting.add(go)
    })
  }

  async function next(signal: AbortSignal | undefined): Promise<PartHasher> {
    signal?.throwIfAborted()
    const hasher = free.pop()
    if (hasher) return hasher
    if (made === maxHashers) return freed(signal)
    made += 1
    return make()
  }

  return {
    async take(signal, withMd5) {
      const hasher = await next(signal)
      hasher.begin(withMd5)
      return hasher
    },
    give(hasher) {
      const [go] = waiting
      if (go) go(hasher)
      else free.push(hasher)
    },
  }
}

async function compiledHasher(): Promise<PartHasher> {
  const [md5, crc64] = await Promise.all([createMD5(), createCRC64()])
  let hasMd5 = true
  return {
    begin(withMd5 = true) {
      hasMd5 = withMd5
      md5.init()
      crc64.init()
    },
    update(bytes) {
      if (hasMd5) md5.update(bytes)
      crc64.update(bytes)
    },
    digest: () => ({ md5: base64(md5.digest('binary')), crc64: BigInt(`0x${crc64.digest()}`) }),
  }
}

/** Without WebAssembly: slower, and the same. */
export function plainHasher(): PartHasher {
  let md5 = plainMd5.create()
  let crc64 = 0n
  let hasMd5 = true
  return {
    begin(withMd5 = true) {
      hasMd5 = withMd5
      md5 = plainMd5.create()
      crc64 = 0n
    },
    update(bytes) {
      if (hasMd5) md5.update(bytes)
      crc64 = plainCrc64(bytes, crc64)
    },
    digest: () => ({ md5: base64(md5.digest()), crc64 }),
  }
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}
