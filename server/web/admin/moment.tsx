import { exactText, relativeText } from './words.ts'

/** A moment, told from `now`; exactly when it is pointed at. */
export function Moment({ at, now }: { at: string; now: number }) {
  const time = Date.parse(at)
  return (
    <time dateTime={at} title={exactText(time)}>
      {relativeText(time, now)}
    </time>
  )
}
