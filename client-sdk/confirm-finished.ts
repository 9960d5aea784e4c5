import { type ByteSource, rangeBody } from './byte-source.ts'
import type { Clock } from './clock.ts'
import { partRange } from './contract/part-plan.ts'
import { type Finished, finishUpload } from './finish-upload.ts'
import type { Hashing } from './hashing.ts'
import type { PartLedger } from './part-ledger.ts'
import type { UploadApi } from './upload-api.ts'
import { UploadEnded } from './upload-fate.ts'

/**
 * The upload was completed by an earlier run that died before it could say so, or by somebody else. Hashes what this run has not hashed
 * yet and compares the whole with the object, so that nothing is sent again. Throws UploadEnded `other-content` when the object is of
 * another content: the source has become a new file, which deserves an upload of its own.
 */
export async function confirmFinished(
  deps: { api: UploadApi; clock: Clock; source: ByteSource; hashing: Hashing; options: { completeTimeoutMs: number } },
  id: string,
  ledger: PartLedger,
  signal: AbortSignal,
): Promise<Finished & { crc64: bigint }> {
  for (let partNumber = 1; partNumber <= ledger.plan.partCount; partNumber++) {
    if (ledger.crc64Of(partNumber) !== undefined) continue
    const { start, end } = partRange(ledger.plan, partNumber)
    const crc64 = await deps.hashing.crc64(rangeBody(deps.source, start, end), signal)
    ledger.hashed(partNumber, crc64)
  }
  await deps.source.checkUnchanged()
  const crc64 = ledger.wholeCrc64()
  const known = (await deps.api.getUpload(id, { signal })).upload
  const finishing = { api: deps.api, clock: deps.clock, completeTimeoutMs: deps.options.completeTimeoutMs }
  // Of an upload that somebody else has finished, nobody here has heard what came of its callback.
  const isFinished = known.state === 'completed'
  const finished = isFinished
    ? { upload: known, callbackResult: null }
    : await finishUpload(finishing, id, crc64, signal)
  const { upload } = finished
  if (upload.crc64 !== null && upload.crc64 !== crc64.toString()) throw new UploadEnded('other-content')
  return { ...finished, crc64 }
}
