import type { Summary } from '@partway/client/contract'
import { useEffect, useRef, useState } from 'preact/hooks'
import { countText, sizeText } from '../shared/figures.ts'
import { onColoursChanged } from '../shared/parts-strip.ts'
import { plotBytes } from './plot-bytes.ts'
import { exactText } from './words.ts'

type Points = Summary['overTime']

/** Bytes held over time as a curve, with the moment under the pointer told above it; and the same as a table for those who hear it. */
export function TimeChart({ points }: { points: Points }) {
  const place = useRef<HTMLDivElement>(null)
  const [pointed, setPointed] = useState<number | null>(null)
  const [theme, setTheme] = useState(0)
  useEffect(() => onColoursChanged(() => setTheme((before) => before + 1)), [])

  useEffect(() => {
    if (!place.current || points.length < 2) return
    return plotBytes(place.current, points, setPointed)
  }, [points, theme])

  if (points.length < 2)
    return <p class="empty chart">Recorded every hour: the curve begins with the second reading.</p>
  const told = points[pointed ?? points.length - 1]
  return (
    <figure class="chart">
      <p class="quiet" aria-hidden="true">
        {told && (
          <>
            <strong>{sizeText(told.bytes)}</strong> in {countText(told.uploads, 'upload')}, {dayText(told.at)}
          </>
        )}
      </p>
      <div ref={place} class="plot" aria-hidden="true" />
      <div class="unseen">
        <table>
          <caption>Bytes held over time</caption>
          <thead>
            <tr>
              <th scope="col">Moment</th>
              <th scope="col">Held</th>
              <th scope="col">Uploads</th>
            </tr>
          </thead>
          <tbody>
            {points.map(({ at, bytes, uploads }) => (
              <tr key={at}>
                <th scope="row">{exactText(Date.parse(at))}</th>
                <td>{sizeText(bytes)}</td>
                <td>{uploads}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  )
}

function dayText(at: string): string {
  return new Date(at).toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
}
