import type { AdminUploadDetail } from '@partway/client/contract'
import { entriesOf } from './timeline.ts'
import { exactText, relativeText } from './words.ts'

/** What happened to an upload and what is to come, one line each; what is to come is told apart. */
export function Timeline({ detail, now }: { detail: AdminUploadDetail; now: number }) {
  return (
    <ol class="timeline">
      {entriesOf(detail, now).map(({ at, text, tone }) => (
        <li key={`${at} ${text}`} class={`${tone}${at > now ? ' future' : ''}`}>
          <time dateTime={new Date(at).toISOString()}>
            {exactText(at)} <span class="quiet nowrap">{relativeText(at, now)}</span>
          </time>
          <span class="what">{text}</span>
        </li>
      ))}
    </ol>
  )
}
