import type { SweepOutcome, SweepReason, SweptUpload } from '@partway/client/contract'
import { bytesInWords, inThousands } from './upload-words.ts'

/** What came of a sweep, over all of its requests. The last line of `partway sweep --json`. */
export interface SweepTotals {
  examined: number
  aborted: number
  finished: number
  left: number
  failed: number
  /** In the parts of those that were, or would be, aborted. */
  freedBytes: number
  /** Of those left and failed. */
  reasons: Partial<Record<SweepReason, number>>
}

export function noTotals(): SweepTotals {
  return { examined: 0, aborted: 0, finished: 0, left: 0, failed: 0, freedBytes: 0, reasons: {} }
}

export function addTotals(totals: SweepTotals, uploads: readonly SweptUpload[]): void {
  for (const { outcome, reason, storedBytes } of uploads) {
    totals.examined += 1
    totals[outcome] += 1
    if (outcome === 'aborted') totals.freedBytes += storedBytes
    if (isKept(outcome)) totals.reasons[reason] = (totals.reasons[reason] ?? 0) + 1
  }
}

/** Whether the upload is as it was, so that the next request may meet it again. */
export function isKept(outcome: SweepOutcome): boolean {
  return outcome === 'left' || outcome === 'failed'
}

/** `Aborted 120 (1.2 GiB freed), finished 2, left 3, failed 1. Why left or failed: 2 grant-alive, 2 growing.` */
export function totalsInWords(totals: SweepTotals, isDryRun: boolean): string {
  const { aborted, finished, left, failed, freedBytes, reasons } = totals
  const counts = [
    `${isDryRun ? 'abort' : 'aborted'} ${inThousands(aborted)} (${bytesInWords(freedBytes)} ${isDryRun ? 'to free' : 'freed'})`,
    `${isDryRun ? 'finish' : 'finished'} ${inThousands(finished)}`,
    `${isDryRun ? 'leave' : 'left'} ${inThousands(left)}`,
    ...(failed > 0 ? [`failed ${inThousands(failed)}`] : []),
  ].join(', ')
  const sentence = isDryRun ? `A sweep would ${counts}.` : `${counts.charAt(0).toUpperCase()}${counts.slice(1)}.`
  const whys = Object.entries(reasons).map(([reason, count]) => `${inThousands(count)} ${reason}`)
  return whys.length === 0 ? sentence : `${sentence} Why they stay: ${whys.join(', ')}.`
}
