import { type ByteSource, type PartBody, rangeBody } from './byte-source.ts'
import type { StoredPart } from './contract/part.ts'
import { partRange } from './contract/part-plan.ts'
import { ClientException } from './errors.ts'
import { etagOfMd5, type Hashing } from './hashing.ts'
import type { PartLedger } from './part-ledger.ts'
import type { RunGate } from './run-gate.ts'

/**
 * Hashes the stored parts again from the source and compares them with what OSS reports, in order. Throws `source-changed` at the first
 * one that differs. Afterwards the ledger knows their checksums, from local bytes only.
 */
export async function verifySource(
  deps: { source: ByteSource; hashing: Hashing; ledger: PartLedger; gate: RunGate },
  storedParts: readonly StoredPart[],
  signal: AbortSignal,
): Promise<void> {
  for (const stored of storedParts) {
    await deps.gate.opened(signal)
    const { start, end } = partRange(deps.ledger.plan, stored.partNumber)
    const crc64 = await recognize(deps.hashing, stored, rangeBody(deps.source, start, end), signal)
    if (crc64 !== null && deps.ledger.hashed(stored.partNumber, crc64)) continue
    throw new ClientException(
      'source-changed',
      `The file is not the one this upload was begun with: part ${stored.partNumber} differs from what is stored`,
    )
  }
}

/**
 * The checksum of `body` when those are the stored bytes, else null. The CRC-64 decides where OSS reports one: the ETag of a part in an
 * encrypted bucket looks like an MD5 and is none. A part about which OSS tells neither counts as different.
 */
async function recognize(
  hashing: Hashing,
  stored: StoredPart,
  body: PartBody,
  signal: AbortSignal,
): Promise<bigint | null> {
  if (stored.crc64 !== null) {
    const crc64 = await hashing.crc64(body, signal)
    return stored.crc64 === crc64.toString() ? crc64 : null
  }
  const { md5, crc64 } = await hashing.digest(body, signal)
  return stored.etag.toUpperCase() === etagOfMd5(md5) ? crc64 : null
}
