import { type ByteSource, rangeBody } from './byte-source.ts'
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
    const digest = await deps.hashing.digest(rangeBody(deps.source, start, end), signal)
    const isSame = isDigestOf(stored, digest.md5, digest.crc64)
    if (isSame && deps.ledger.hashed(stored.partNumber, digest.crc64)) continue
    throw new ClientException(
      'source-changed',
      `The file is not the one this upload was begun with: part ${stored.partNumber} differs from what is stored`,
    )
  }
}

/**
 * The CRC-64 decides where OSS reports one: the ETag of a part in an encrypted bucket looks like an MD5 and is none. A part about which
 * OSS tells neither counts as different.
 */
function isDigestOf(stored: StoredPart, md5: string, crc64: bigint): boolean {
  if (stored.crc64 !== null) return stored.crc64 === crc64.toString()
  return stored.etag.toUpperCase() === etagOfMd5(md5)
}
