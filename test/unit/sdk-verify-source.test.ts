import { createHash } from 'node:crypto'
import { crc64 } from '@partway/client/contract'
import { describe, expect, it } from 'vitest'
import type { StoredPart } from '../../client-sdk/contract/part.ts'
import { createNodeHashing } from '../../client-sdk/node/node-hashing.ts'
import { createPartLedger } from '../../client-sdk/part-ledger.ts'
import { createRunGate } from '../../client-sdk/run-gate.ts'
import { verifySource } from '../../client-sdk/verify-source.ts'

const partSizeBytes = 5_000_000
const bytes = Uint8Array.from({ length: 2 * partSizeBytes + 7 }, (_, index) => (index * index) % 251)
const partBytes = (of: Uint8Array, partNumber: number) =>
  of.subarray((partNumber - 1) * partSizeBytes, partNumber * partSizeBytes)

/** What OSS says of a part of `bytes`. */
function storedPart(partNumber: number, checksums: 'both' | 'etag' | 'neither'): StoredPart {
  const part = partBytes(bytes, partNumber)
  const md5 = createHash('md5').update(part).digest('hex').toUpperCase()
  return {
    partNumber,
    sizeBytes: part.byteLength,
    etag: checksums === 'neither' ? 'ENCRYPTED-1' : md5,
    crc64: checksums === 'both' ? crc64(part).toString() : null,
  }
}

async function verify(source: Uint8Array, stored: readonly StoredPart[]) {
  const plan = { sizeBytes: bytes.byteLength, partSizeBytes, partCount: 3 }
  const ledger = createPartLedger(plan)
  const made: string[] = []
  const hashing = createNodeHashing()
  const watched: typeof hashing = {
    digest: (body, signal) => {
      made.push('both')
      return hashing.digest(body, signal)
    },
    crc64: (body, signal) => {
      made.push('crc64')
      return hashing.crc64(body, signal)
    },
  }
  const open = {
    name: 'x',
    sizeBytes: source.byteLength,
    read: async (start: number, end: number) => source.subarray(start, end),
    async *stream(start: number, end: number) {
      yield source.subarray(start, end)
    },
    checkUnchanged: async () => {},
    close: async () => {},
  }
  const deps = { source: open, hashing: watched, ledger, gate: createRunGate() }
  await verifySource(deps, stored, new AbortController().signal)
  return { made, known: [1, 2, 3].map((partNumber) => ledger.crc64Of(partNumber)) }
}

describe('verifying a source before going on', () => {
  it('knows the bytes by their CRC-64 where OSS tells it, and does not compute the MD5 then', async () => {
    const { made, known } = await verify(bytes, [storedPart(1, 'both'), storedPart(3, 'both')])
    expect(made).toEqual(['crc64', 'crc64'])
    expect(known).toEqual([crc64(partBytes(bytes, 1)), undefined, crc64(partBytes(bytes, 3))])
  })

  it('knows them by the ETag where there is no CRC-64', async () => {
    const { made, known } = await verify(bytes, [storedPart(2, 'etag')])
    expect(made).toEqual(['both'])
    expect(known).toEqual([undefined, crc64(partBytes(bytes, 2)), undefined])
  })

  it('says which part is not what was stored', async () => {
    const changed = bytes.slice()
    changed[partSizeBytes + 3] = (bytes[partSizeBytes + 3] ?? 0) ^ 1
    for (const checksums of ['both', 'etag'] as const) {
      const stored = [storedPart(1, checksums), storedPart(2, checksums)]
      await expect(verify(changed, stored)).rejects.toMatchObject({
        code: 'source-changed',
        message: expect.stringContaining('part 2 differs'),
      })
    }
  })

  it('takes a part for a changed one about which OSS tells nothing', async () => {
    await expect(verify(bytes, [storedPart(1, 'neither')])).rejects.toMatchObject({ code: 'source-changed' })
  })
})
