import type { SweepOutcome, SweepReason } from '@partway/client/contract'
import type { UploadRow } from '../db/upload-row.ts'

/* Pure: what is to become of an upload that OSS has been asked about. */

/** Why uploads are given up: their life is over, or somebody asks for it, whatever their age. */
export type SweepRule = { kind: 'life'; staleAfterSeconds: number; ttlSeconds: number } | { kind: 'asked' }

/** What was, or would be, done with an upload, and why. */
export interface Verdict {
  outcome: SweepOutcome
  reason: SweepReason
  /** Until when the grant or the credentials live that it was left for. */
  aliveUntil: Date | null
}

export const verdict = (outcome: SweepOutcome, reason: SweepReason): Verdict => ({ outcome, reason, aliveUntil: null })

/** Says of an `uploading` row, as it is now, whether it may be given up: `aborted` or `left`. `hasGrown`: OSS holds more than was known, which
 *  is activity of this moment. Whoever gives it up makes sure in the statement that does. */
export function judgeLife(
  row: Pick<UploadRow, 'grantsAliveUntil' | 'credentialsAliveUntil' | 'lastActivityAt' | 'createdAt' | 'readAt'>,
  rule: SweepRule,
  hasGrown: boolean,
): Verdict {
  const { grantsAliveUntil, credentialsAliveUntil, readAt } = row
  if (grantsAliveUntil !== null && grantsAliveUntil >= readAt) {
    const isCredential = credentialsAliveUntil !== null && credentialsAliveUntil >= readAt
    return {
      outcome: 'left',
      reason: isCredential ? 'credential-alive' : 'grant-alive',
      aliveUntil: grantsAliveUntil,
    }
  }
  if (rule.kind === 'asked') return hasGrown ? verdict('left', 'growing') : verdict('aborted', 'asked')
  const isOlder = (than: Date, seconds: number) => than.getTime() + seconds * 1000 < readAt.getTime()
  if (!hasGrown && isOlder(row.lastActivityAt, rule.staleAfterSeconds)) return verdict('aborted', 'stale')
  if (isOlder(row.createdAt, rule.ttlSeconds)) return verdict('aborted', 'end-of-life')
  return verdict('left', hasGrown ? 'growing' : 'active')
}

/** What there is to say of an upload that is not in `uploading`, or that somebody else holds. */
export function judgeState({ state }: Pick<UploadRow, 'state'>): Verdict {
  switch (state) {
    case 'completed':
      return verdict('left', 'completed')
    case 'aborted':
      return verdict('left', 'already-aborted')
    case 'completing':
      return verdict('left', 'completing')
    default:
      return verdict('left', 'busy')
  }
}

/** What came of an upload that was driven on: because OSS had ended it, or because its former driver had left it behind. */
export function judgeEnd(row: Pick<UploadRow, 'state' | 'abortReason'>): Verdict {
  if (row.state === 'completed') return verdict('finished', 'object-complete')
  if (row.state !== 'aborted' && row.state !== 'aborting') return judgeState(row)
  if (row.abortReason === 'user') return verdict('aborted', 'asked')
  if (row.abortReason === 'expired') return verdict('aborted', 'stale')
  return verdict('finished', 'upload-gone')
}
