import type { AdminUploadDetail } from '@partway/client/contract'
import { useEffect, useRef } from 'preact/hooks'
import { countText, sizeText } from '../shared/figures.ts'
import { createPartsStrip, onColoursChanged, type PartsStrip } from '../shared/parts-strip.ts'
import { rangesText } from './words.ts'

/** Which parts are stored, drawn as the upload page draws them, and told. */
export function PartsPicture({ detail: { upload, storedPartRanges } }: { detail: AdminUploadDetail }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const strip = useRef<PartsStrip | undefined>(undefined)
  const isDone = upload.state === 'completed'
  const stored = storedPartRanges.reduce((sum, [first, last]) => sum + last - first + 1, 0)

  useEffect(() => {
    if (!canvas.current) return
    strip.current ??= createPartsStrip(canvas.current)
    const draw = () =>
      strip.current?.draw({
        sizeBytes: upload.sizeBytes,
        partSizeBytes: upload.partSizeBytes,
        partCount: upload.partCount,
        isStored: storedIn(isDone ? [[1, upload.partCount]] : storedPartRanges),
        sentBytes: () => 0,
        mood: isDone ? 'done' : upload.isStale ? 'resting' : 'moving',
      })
    draw()
    return onColoursChanged(draw)
  }, [upload, storedPartRanges, isDone])

  return (
    <div class="parts-picture">
      <div class="strip" aria-hidden="true">
        <canvas ref={canvas} />
      </div>
      <p>
        {isDone ? (
          <>All {countText(upload.partCount, 'part')} are joined.</>
        ) : (
          <>
            {stored.toLocaleString('en')} of {countText(upload.partCount, 'part')} stored
            {stored > 0 && stored < upload.partCount && `: ${rangesText(storedPartRanges)}`}. Each has{' '}
            {sizeText(upload.partSizeBytes)}, the last what remains.
          </>
        )}
      </p>
    </div>
  )
}

/** Whether a part is in one of the ranges, which are inclusive and ascend: each strip asks in ascending order, but nothing relies on it. */
function storedIn(ranges: readonly (readonly [number, number])[]): (partNumber: number) => boolean {
  return (partNumber) => {
    let [low, high] = [0, ranges.length - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      const [first, last] = ranges[middle] ?? [0, 0]
      if (partNumber < first) high = middle - 1
      else if (partNumber > last) low = middle + 1
      else return true
    }
    return false
  }
}
