import { foldCrc64 } from './contract/crc64.ts'
import { type PartPlan, partSize } from './contract/part-plan.ts'

/** The checksums of the parts as read from the source, and which parts OSS holds. Eight bytes a part, whatever the file. */
export interface PartLedger {
  readonly plan: PartPlan
  /** Remembers what part `partNumber` hashed to. False when it was something else before: the source has changed in between. */
  hashed(partNumber: number, crc64: bigint): boolean
  /** The checksum of the part from local bytes, if it was hashed in this run. */
  crc64Of(partNumber: number): bigint | undefined
  /** The checksum of the whole file. Call it when every part was hashed; throws RangeError otherwise. */
  wholeCrc64(): bigint
}

export function createPartLedger(plan: PartPlan): PartLedger {
  const checksums = new BigUint64Array(plan.partCount)
  const isHashed = new Uint8Array(plan.partCount)
  return {
    plan,
    hashed(partNumber, crc64) {
      const index = partNumber - 1
      if (isHashed[index] === 1 && checksums[index] !== crc64) return false
      isHashed[index] = 1
      checksums[index] = crc64
      return true
    },
    crc64Of: (partNumber) => (isHashed[partNumber - 1] === 1 ? checksums[partNumber - 1] : undefined),
    wholeCrc64() {
      const missing = isHashed.indexOf(0)
      if (missing !== -1) throw new RangeError(`part ${missing + 1} was never hashed`)
      return foldCrc64(Array.from(checksums, (crc64, index) => ({ crc64, sizeBytes: partSize(plan, index + 1) })))
    },
  }
}
