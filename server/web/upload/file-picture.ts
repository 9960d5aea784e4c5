import type { PartsProgress } from '@partway/client'
import type { QueueItem } from '@partway/client/queue'
import type { StripPicture } from '../shared/parts-strip.ts'

/** What OSS has of a file for certain. */
export function storedBytes({ plan, isStored }: PartsProgress): number {
  const { partCount, partSizeBytes, sizeBytes } = plan
  let bytes = 0
  for (let number = 1; number <= partCount; number++) {
    if (isStored(number)) bytes += Math.min(partSizeBytes, sizeBytes - (number - 1) * partSizeBytes)
  }
  return bytes
}

/** The parts as far as they are known; before that, or while another tab sends them, the file is one. */
export function pictureOf(item: QueueItem<Blob>, parts: PartsProgress | undefined): StripPicture {
  const { currentBytes, totalBytes } = item.progress
  const isMoving =
    item.state === 'sending' || item.state === 'verifying' || item.state === 'completing' || item.state === 'waiting'
  const mood = item.state === 'completed' ? 'done' : isMoving ? 'moving' : 'resting'
  if (parts && item.state !== 'waiting') {
    const { plan } = parts
    const isDone = item.state === 'completed'
    return {
      ...plan,
      mood,
      isStored: (number) => isDone || parts.isStored(number),
      sentBytes: (number) => parts.sentBytes(number),
    }
  }
  return {
    sizeBytes: totalBytes,
    partSizeBytes: Math.max(1, totalBytes),
    partCount: totalBytes > 0 ? 1 : 0,
    isStored: () => item.state === 'completed',
    sentBytes: () => currentBytes,
    mood,
  }
}
