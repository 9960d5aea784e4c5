/* What a sweep or an abort did, or would do, in words. Pure. */
import type { Sweep, SweepReason, SweptUpload } from '@partway/client/contract'
import { countText, sizeText } from '../shared/figures.ts'
import type { ActionLine, ActionReport } from './action-dialog.tsx'
import { exactText, relativeText } from './words.ts'

const reasons: Record<SweepReason, string> = {
  stale: 'idle for long enough',
  'end-of-life': 'older than any upload may become',
  asked: '',
  'object-complete': 'its object is complete at OSS, and its row says so',
  'upload-gone': 'OSS has ended it already',
  'grant-alive': 'a part URL of it can still be used',
  'credential-alive': 'credentials of it can still be used',
  growing: 'OSS holds more of it than the last time: somebody is sending',
  active: 'somebody is at work on it',
  busy: 'something else is being done with it',
  completing: 'it is being completed',
  completed: 'it is completed',
  'already-aborted': 'it is aborted already',
  'other-bucket': 'it is in another bucket than this server’s',
  'storage-unavailable': 'OSS cannot be reached; it is asked again later',
  'not-in-time': 'there was no time for it, or it is still under way; ask again',
}

const outcomes = {
  aborted: ['would be aborted', 'aborted'],
  finished: ['would be closed', 'closed'],
  left: ['would be left', 'left'],
  failed: ['cannot be asked about', 'failed'],
} as const

export function sweptLine(upload: SweptUpload, isDryRun: boolean, now: number): ActionLine {
  const { id, tenant, fileName, storedBytes, outcome, reason, aliveUntil } = upload
  const end = aliveUntil === null ? Number.NaN : Date.parse(aliveUntil)
  const until = Number.isNaN(end) ? '' : ` until ${exactText(end)} (${relativeText(end, now)})`
  return {
    id,
    name: fileName,
    owner: tenant,
    bytes: storedBytes,
    kind: outcome === 'left' || outcome === 'failed' ? outcome : 'done',
    text: `${outcomes[outcome][isDryRun ? 0 : 1]}${reasons[reason] === '' ? '' : ': '}${reasons[reason]}${until}`,
  }
}

/** `12 uploads would be aborted, 1.2 GB freed; 1 would be closed, 3 are left`. */
export function sweptReport(sweep: Sweep, uploads: readonly SweptUpload[], now: number): ActionReport {
  const { isDryRun, aborted, finished, left, failed, freedBytes } = sweep
  const were = (count: number) => (isDryRun ? 'would be' : count === 1 ? 'was' : 'were')
  const parts = [
    `${aborted === 0 ? 'No upload' : countText(aborted, 'upload')} ${were(aborted || 1)} aborted${aborted > 0 ? `, ${sizeText(freedBytes)} freed` : ''}`,
    ...(finished > 0 ? [`${finished} ${were(finished)} closed`] : []),
    ...(left > 0 ? [`${left} ${isDryRun ? 'would be' : left === 1 ? 'was' : 'were'} left`] : []),
    ...(failed > 0 ? [`${failed} ${isDryRun ? 'could not be asked about' : 'failed'}`] : []),
  ]
  return { headline: parts.join('; '), lines: uploads.map((upload) => sweptLine(upload, isDryRun, now)) }
}
