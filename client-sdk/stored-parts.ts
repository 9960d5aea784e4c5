import type { StoredPart } from './contract/part.ts'
import { isPlannedPart, type PartPlan, partSize } from './contract/part-plan.ts'
import { ClientException } from './errors.ts'
import type { PartLedger } from './part-ledger.ts'
import type { UploadApi } from './upload-api.ts'

/** The parts OSS holds in the size the plan gives them, over all pages. Others count as not stored. `firstPage`: asked for already. */
export async function listStoredParts(
  api: Pick<UploadApi, 'listParts'>,
  id: string,
  plan: PartPlan,
  signal: AbortSignal,
  firstPage?: Awaited<ReturnType<UploadApi['listParts']>>,
): Promise<StoredPart[]> {
  const stored: StoredPart[] = []
  let page = firstPage
  let after = 0
  for (;;) {
    const { parts, nextAfter } = page ?? (await api.listParts(id, { after }, { signal }))
    for (const part of parts) {
      if (isPlannedPart(plan, part.partNumber) && part.sizeBytes === partSize(plan, part.partNumber)) stored.push(part)
    }
    if (nextAfter === null) return stored
    if (nextAfter <= after) throw new ClientException('invalid-reply', 'The list of stored parts does not end')
    after = nextAfter
    page = undefined
  }
}

/** The parts OSS does not hold as this run hashed them. */
export async function partsThatDiffer(
  api: Pick<UploadApi, 'listParts'>,
  id: string,
  ledger: PartLedger,
  signal: AbortSignal,
): Promise<number[]> {
  const stored = await listStoredParts(api, id, ledger.plan, signal)
  const equal = new Set<number>()
  for (const { partNumber, crc64 } of stored) {
    if (crc64 === null || crc64 === ledger.crc64Of(partNumber)?.toString()) equal.add(partNumber)
  }
  return [...partsOtherThan(ledger.plan, equal)]
}

/** The part numbers of the plan that are in none of the sets, ascending. */
export function* partsOtherThan(plan: PartPlan, ...sets: ReadonlySet<number>[]): Generator<number> {
  for (let partNumber = 1; partNumber <= plan.partCount; partNumber++) {
    if (!sets.some((set) => set.has(partNumber))) yield partNumber
  }
}
