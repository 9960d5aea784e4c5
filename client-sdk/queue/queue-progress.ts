import { createSpeed } from '../speed.ts'
import type { QueueItemState } from './queue-item.ts'

/** How far a queue is. Failed, cancelled and removed files are in `files` at most: their bytes are neither done nor to be done. */
export interface QueueProgress {
  /** Stored bytes and bytes in flight of all files. Goes back when a file fails, is cancelled or removed. */
  currentBytes: number
  /** The sizes of all files that are known. */
  totalBytes: number
  /** Files whose size is not known before they are opened. */
  unsizedFiles: number
  /** Smoothed over the last seconds; 0 while nothing is being done. */
  bytesPerSecond: number
  /** Seconds until the last file is stored, or null while nobody can tell. Knows that many small files take time beside their bytes. */
  etaSeconds: number | null
  /** Files by state, and all of them. */
  files: Record<QueueItemState | 'total', number>
}

/** What one file adds to the whole. */
export interface Share {
  totalBytes: number
  currentBytes: number
  isUnsized: boolean
}

/** Adds up what the files of a queue report, without ever looking at all of them. */
export interface QueueMeter {
  /** A file changed its state; undefined stands for not being in the queue. */
  moved(from: QueueItemState | undefined, to: QueueItemState | undefined): void
  /** A file's share changed. */
  shared(from: Share, to: Share): void
  /** Bytes were put on the wire. */
  sent(bytes: number): void
  readonly files: Readonly<QueueProgress['files']>
  read(): QueueProgress
}

/** What opening and completing a file is worth beside its bytes, when time is estimated: without it, 10,000 empty files would take none. */
const fileBytes = 65_536

const ends: readonly QueueItemState[] = ['completed', 'failed', 'cancelled']

/** Pure but for `nowMs`, a clock in ms. */
export function createQueueMeter(nowMs: () => number): QueueMeter {
  const files: QueueProgress['files'] = {
    total: 0,
    queued: 0,
    preparing: 0,
    waiting: 0,
    sending: 0,
    paused: 0,
    verifying: 0,
    completing: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
  }
  let totalBytes = 0
  let currentBytes = 0
  let unsizedFiles = 0
  const bytes = createSpeed(nowMs)
  const work = createSpeed(nowMs)

  return {
    files,
    moved(from, to) {
      files[from ?? 'total'] -= from ? 1 : -1
      files[to ?? 'total'] += to ? 1 : -1
      if (to === 'completed') work.add(fileBytes)
    },
    shared(from, to) {
      totalBytes += to.totalBytes - from.totalBytes
      currentBytes += to.currentBytes - from.currentBytes
      unsizedFiles += Number(to.isUnsized) - Number(from.isUnsized)
    },
    sent(more) {
      bytes.add(more)
      work.add(more)
    },
    read() {
      const leftFiles = ends.reduce((left, state) => left - files[state], files.total)
      const isAtWork = leftFiles > files.queued + files.paused
      const leftWork = totalBytes - currentBytes + leftFiles * fileBytes
      const speed = work.perSecond()
      const mayTell = isAtWork && unsizedFiles === 0 && speed > 0
      return {
        currentBytes,
        totalBytes,
        unsizedFiles,
        bytesPerSecond: isAtWork ? Math.round(bytes.perSecond()) : 0,
        etaSeconds: leftFiles === 0 ? 0 : mayTell ? Math.ceil(leftWork / speed) : null,
        files: { ...files },
      }
    },
  }
}
