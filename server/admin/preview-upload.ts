import type { UploadRow } from '../db/upload-row.ts'
import type { Deps } from '../deps.ts'
import { objectFault } from '../uploads/judge-object.ts'
import type { Look } from '../uploads/look-at-upload.ts'
import { knownParts } from '../uploads/reconcile-upload.ts'
import { readStoredParts } from '../uploads/stored-parts.ts'
import { judgeLife, judgeState, type SweepRule, verdict } from '../uploads/sweep-verdict.ts'
import { isBeingLookedAt, isLeftBehind } from '../uploads/upload-state.ts'

/** What would become of an upload: asks OSS as the sweep does, and writes nothing anywhere. The truth of this moment; a grant of the next one
 *  changes it. Throws when OSS gives no usable answer. */
export async function previewUpload(deps: Deps, row: UploadRow, rule: SweepRule): Promise<Look> {
  const { storedBytes } = row
  const isEnded = row.state === 'completed' || row.state === 'aborted'
  if (row.bucket !== deps.objects.bucket && !isEnded) return { ...verdict('left', 'other-bucket'), storedBytes }
  // It would be driven on: one just begun to `uploading`, where it can be given up, and one being given up to its end.
  if (isLeftBehind(row) && row.state !== 'completing') {
    return { ...verdict('aborted', rule.kind === 'asked' ? 'asked' : 'stale'), storedBytes }
  }
  if (row.state !== 'uploading') return { ...judgeState(row), storedBytes }
  if (isBeingLookedAt(row)) return { ...verdict('left', 'busy'), storedBytes }
  const listed = await readStoredParts(deps.objects, row)
  if (!listed) {
    const object = await deps.objects.headObject(row.key)
    const isWhole = object !== null && objectFault(row, object) === null
    return { ...verdict('finished', isWhole ? 'object-complete' : 'upload-gone'), storedBytes: 0 }
  }
  const sizeOf = (parts: readonly { sizeBytes: number }[]) => parts.reduce((sum, part) => sum + part.sizeBytes, 0)
  const hasGrown = sizeOf(knownParts(row, listed)) > storedBytes
  return { ...judgeLife(row, rule, hasGrown), storedBytes: sizeOf(listed) }
}
