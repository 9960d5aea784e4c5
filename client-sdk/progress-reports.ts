import type { ProgressMeter, UploadProgress } from './progress.ts'
import { safeCallback } from './safe-callback.ts'

/** Decides when a callback hears of progress: at most every `intervalMs`, at once for the first report and the total, the total once. */
export interface ProgressReports {
  /** Something moved. */
  moved(): void
  /** Reports now, whatever the interval: after a resume, before a pause. */
  now(): void
}

export function createProgressReports(
  meter: ProgressMeter,
  onProgress: (progress: UploadProgress) => void,
  intervalMs: number,
  nowMs: () => number,
): ProgressReports {
  let reportedAtMs = Number.NEGATIVE_INFINITY
  let isTotalReported = false
  const tell = safeCallback(onProgress)

  function report(progress: UploadProgress) {
    if (isTotalReported) return
    isTotalReported = progress.currentBytes === progress.totalBytes
    reportedAtMs = nowMs()
    tell(progress)
  }

  return {
    moved() {
      const progress = meter.read()
      if (progress.currentBytes === progress.totalBytes || nowMs() - reportedAtMs >= intervalMs) report(progress)
    },
    now: () => report(meter.read()),
  }
}
