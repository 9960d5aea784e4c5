import type { AdminUploadDetail } from '@partway/client/contract'
import { lanesOf, type Span } from './timeline.ts'

/** The upload's life drawn along one axis, with a line at now. The list beside it says the same in words. */
export function Lanes({ detail, now }: { detail: AdminUploadDetail; now: number }) {
  const { whole, lanes } = lanesOf(detail, now)
  const percentAt = (at: number) => Math.min(100, Math.max(0, ((at - whole.from) / (whole.to - whole.from)) * 100))
  const place = ({ from, to }: Span) => ({
    left: `${percentAt(from)}%`,
    width: `${Math.max(0, percentAt(to) - percentAt(from))}%`,
  })
  return (
    <div class="lanes" aria-hidden="true">
      {lanes.map(({ name, spans }) => (
        <div key={name}>
          <span class="quiet">{name}</span>
          <span class="track">
            {spans.map((span) => (
              <span key={`${span.from}-${span.to}`} class={span.to > now ? 'alive' : ''} style={place(span)} />
            ))}
            <i style={{ left: `${percentAt(now)}%` }} />
          </span>
        </div>
      ))}
    </div>
  )
}
