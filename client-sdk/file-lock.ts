import type { Clock } from './clock.ts'
import type { SafeRecord } from './safe-record.ts'
import type { UploadRun } from './upload-file.ts'
import type { UploadLocks, UploadNews } from './upload-locks.ts'
import { isUploadId } from './upload-record.ts'

/** The right to send a file. */
export interface FileLock {
  release(): void
  /** The upload its earlier holder worked on, if there was one: it may be finished, or waits to be gone on with. */
  seenId?: string | undefined
}

/** News of the very end may be under way still when the lock comes free. */
const lateNewsMs = 100

/**
 * Waits until nobody else here sends the file that `name` stands for, showing meanwhile how far they are. Rejects with the signal's
 * reason.
 */
export async function lockFile(
  deps: { locks: UploadLocks; clock: Clock; run: UploadRun; record: SafeRecord },
  name: string,
  signal: AbortSignal,
): Promise<FileLock> {
  const { locks, run } = deps
  let seenId: string | undefined
  let forget = () => {}
  const hear = (news: UploadNews) => {
    if (!isUploadId(news.id)) return
    seenId = news.id
    run.meter.mirror(news)
    run.reports.now()
  }
  const wait = () => {
    run.setPhase('waiting')
    forget = locks.listen(name, hear)
    // A holder that is paused has nothing to tell, but its record does.
    void deps.record.load().then((record) => {
      seenId ??= record?.id
    })
  }
  let release: (() => void) | undefined
  try {
    let didWait = false
    release = await locks.acquire(name, signal, () => {
      didWait = true
      wait()
    })
    if (!didWait) return { release }
    if (!seenId) await deps.clock.sleep(lateNewsMs, signal)
    run.setPhase('preparing')
    return { release, seenId }
  } catch (error) {
    release?.()
    throw error
  } finally {
    forget()
  }
}
