import { beginSweepAbort, endLook } from '../db/look-rows.ts'
import { replaceParts } from '../db/part-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import type { Deps } from '../deps.ts'
import { discardUpload } from './discard-upload.ts'
import { withLease } from './lease.ts'
import { knownParts, settleLostUpload } from './reconcile-upload.ts'
import { rereadUpload } from './reread-upload.ts'
import { readStoredParts } from './stored-parts.ts'
import { judgeEnd, judgeLife, judgeState, type SweepRule, type Verdict } from './sweep-verdict.ts'
import { LEASE_SECONDS } from './upload-state.ts'

/** What was done with an upload, and the bytes OSS held for it before. */
export interface Look extends Verdict {
  storedBytes: number
}

/**
 * Looks at an `uploading` row whose look the caller holds: asks OSS first, and gives the upload up when it may be. The order decides: growth
 * that ListParts shows is activity, an id that OSS does not know leaves the object to decide, and only a row of which, at the moment of the
 * statement, no grant or credential is alive is moved to `aborting`. After a failure, which is thrown, the next look comes later each time.
 */
export async function lookAtUpload(deps: Deps, row: UploadRow, rule: SweepRule): Promise<Look> {
  return withLease(deps, row, async () => {
    const listed = await readStoredParts(deps.objects, row)
    if (!listed) return { ...judgeEnd(await settleLostUpload(deps, row)), storedBytes: 0 }
    const storedBytes = listed.reduce((sum, part) => sum + part.sizeBytes, 0)
    const known = knownParts(row, listed)
    const hasGrown = known.reduce((sum, part) => sum + part.sizeBytes, 0) > row.storedBytes
    // What is going to be discarded need not be written down part by part. Whoever reports or sends meanwhile makes the statement fail.
    const atOnce = hasGrown ? null : await giveUp(deps, row, row, rule)
    if (atOnce) return { ...atOnce, storedBytes }
    const current = (await replaceParts(deps.db, row.id, known)) ?? (await rereadUpload(deps, row.id))
    return { ...(await giveUpOrLeave(deps, row, current, rule)), storedBytes }
  })
}

/** Null: it may not be given up. `current`: as it was last read. */
async function giveUp(deps: Deps, row: UploadRow, current: UploadRow, rule: SweepRule): Promise<Verdict | null> {
  const judged = judgeLife(current, rule, current.storedBytes > row.storedBytes)
  if (judged.outcome !== 'aborted') return null
  const condition =
    rule.kind === 'asked'
      ? ({ reason: 'user', lastActivityAt: current.lastActivityAt } as const)
      : ({ reason: 'expired', ...rule } as const)
  const aborting = await beginSweepAbort(deps.db.prisma, row, condition, LEASE_SECONDS)
  if (!aborting) return null
  await discardUpload(deps, aborting)
  return judged
}

async function giveUpOrLeave(deps: Deps, row: UploadRow, current: UploadRow, rule: SweepRule): Promise<Verdict> {
  if (current.state !== 'uploading') return judgeState(current)
  const givenUp = await giveUp(deps, row, current, rule)
  if (givenUp) return givenUp
  await endLook(deps.db.prisma, row)
  const judged = judgeLife(current, rule, current.storedBytes > row.storedBytes)
  if (judged.outcome === 'left') return judged
  // Somebody was faster: granted, reported, completed or aborted.
  const moved = await rereadUpload(deps, row.id)
  if (moved.state !== 'uploading') return judgeState(moved)
  const again = judgeLife(moved, rule, false)
  return again.outcome === 'left' ? again : { outcome: 'left', reason: 'active', aliveUntil: null }
}
