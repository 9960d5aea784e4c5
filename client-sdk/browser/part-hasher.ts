import { md5 as plainMd5 } from '@noble/hashes/legacy.js'
import { createCRC64, createMD5 } from 'hash-wasm'
import { crc64 as plainCrc64 } from '../contract/crc64.ts'
import type { PartDigest } from '../hashing.ts'

/** MD5 and CRC-64 of one run of bytes after another. */
export interface PartHasher {
  /** Forgets what came before. */
  begin(): void
  update(bytes: Uint8Array): void
  digest(): PartDigest
}

/** Hashers that are used again: making one costs more than hashing a small part. As many as are in use at once. */
export interface PartHashers {
  take(): Promise<PartHasher>
  give(hasher: PartHasher): void
}

export function createPartHashers(): PartHashers {
  const free: PartHasher[] = []
  let mayCompile = true
  return {
    async take() {
      const hasher = free.pop()
      if (hasher) return hasher
      if (mayCompile) {
        try {
          return await compiledHasher()
        } catch {
          // A Content-Security-Policy without 'wasm-unsafe-eval', or a browser in lockdown mode. It would say so again each time.
          mayCompile = false
        }
      }
      return plainHasher()
    },
    give: (hasher) => void free.push(hasher),
  }
}

async function compiledHasher(): Promise<PartHasher> {
  const [md5, crc64] = await Promise.all([createMD5(), createCRC64()])
  return {
    begin() {
      md5.init()
      crc64.init()
    },
    update(bytes) {
      md5.update(bytes)
      crc64.update(bytes)
    },
    digest: () => ({ md5: base64(md5.digest('binary')), crc64: BigInt(`0x${crc64.digest()}`) }),
  }
}

/** Without WebAssembly: slower, and the same. */
export function plainHasher(): PartHasher {
  let md5 = plainMd5.create()
  let crc64 = 0n
  return {
    begin() {
      md5 = plainMd5.create()
      crc64 = 0n
    },
    update(bytes) {
      md5.update(bytes)
      crc64 = plainCrc64(bytes, crc64)
    },
    digest: () => ({ md5: base64(md5.digest()), crc64 }),
  }
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}
