import { foldCrc64, isPlannedPart, type PartPlan, partSize } from '@partway/client/contract'
import type { PartRow } from '../db/part-rows.ts'
import type { ListedPart } from '../oss/object-store.ts'

/** A part that keeps an upload from being completed. */
export interface PartFault {
  partNumber: number
  reason: 'missing' | 'size' | 'etag' | 'crc64'
}

export interface PartsVerdict {
  missing: PartFault[]
  mismatched: PartFault[]
  /** CRC-64 of all parts joined, as a decimal; null when the service reports none for some part. */
  crc64: string | null
}

/**
 * Compares what OSS holds with the plan and with the client's claims. Parts beyond the plan are no fault: Complete leaves them out.
 * A claim that was refused before counts only if the part has been sent again since (see {@link refusalMark}): then it is void.
 */
export function checkParts(plan: PartPlan, listed: readonly ListedPart[], claims: readonly PartRow[]): PartsVerdict {
  const stored = new Map(listed.map((part) => [part.partNumber, part]))
  const claimed = new Map(claims.map((claim) => [claim.partNumber, claim]))
  const verdict: PartsVerdict = { missing: [], mismatched: [], crc64: null }
  for (let partNumber = 1; partNumber <= plan.partCount; partNumber++) {
    const part = stored.get(partNumber)
    if (!part) verdict.missing.push({ partNumber, reason: 'missing' })
    else if (part.sizeBytes !== partSize(plan, partNumber)) verdict.mismatched.push({ partNumber, reason: 'size' })
    else {
      const reason = contradiction(part, claimed.get(partNumber))
      if (reason) verdict.mismatched.push({ partNumber, reason })
    }
  }
  if (verdict.missing.length === 0 && verdict.mismatched.length === 0) verdict.crc64 = joinedCrc64(plan, listed)
  return verdict
}

function contradiction(part: ListedPart, claim: PartRow | undefined): 'etag' | 'crc64' | null {
  if (!claim || (claim.refused !== null && claim.refused !== refusalMark(part))) return null
  if (claim.etag !== null && claim.etag !== part.etag) return 'etag'
  if (claim.crc64 !== null && part.crc64 !== null && claim.crc64 !== part.crc64) return 'crc64'
  return null
}

/** Tells one stored version of a part from the next: it changes when the part is sent again, even with the same bytes. */
export function refusalMark(part: ListedPart): string {
  return `${part.etag} ${part.lastModified}`
}

/** The parts of the plan among those listed, ascending. */
export function plannedParts(plan: PartPlan, listed: readonly ListedPart[]): ListedPart[] {
  return listed.filter((part) => isPlannedPart(plan, part.partNumber)).sort((a, b) => a.partNumber - b.partNumber)
}

/** The parts among those listed that need not be sent again: of the plan, and of its size. */
export function storedParts(plan: PartPlan, listed: readonly ListedPart[]): ListedPart[] {
  return plannedParts(plan, listed).filter((part) => part.sizeBytes === partSize(plan, part.partNumber))
}

function joinedCrc64(plan: PartPlan, listed: readonly ListedPart[]): string | null {
  const pieces: { crc64: bigint; sizeBytes: number }[] = []
  for (const part of plannedParts(plan, listed)) {
    if (part.crc64 === null) return null
    pieces.push({ crc64: BigInt(part.crc64), sizeBytes: part.sizeBytes })
  }
  return foldCrc64(pieces).toString()
}
