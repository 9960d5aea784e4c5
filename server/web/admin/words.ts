/* Names, moments and costs as the page says them. Pure. */
import type { AgeBand, UploadState } from '@partway/client/contract'
import { shortDurationText } from '../shared/figures.ts'

/** Signs without a shape of their own: format controls that turn what stands beside them, zero widths, fillers that look like spaces. */
const unseen =
  /[\p{Cf}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]|\u034f|\u115f|\u1160|\u17b4|\u17b5|\u180b|\u180c|\u180d|\u180f|\u3164|\uffa0/gu
/** Of those, what has a use inside words and emoji: joiners, and the tags of flags. */
const joiner = /^(?:\u200c|\u200d|[\u{e0020}-\u{e007f}])$/u

/**
 * A name that strangers chose, so that it looks like what it is: signs nobody sees are spelled out, `⟨U+202E⟩`. Joiners are where there is
 * something to join.
 */
export function shownName(name: string): string {
  const spelled = name.replace(unseen, (sign) => (joiner.test(sign) ? sign : spell(sign)))
  const isBlank = spelled.replace(unseen, '').replace(/\p{M}/gu, '').trim() === ''
  return isBlank ? spelled.replace(/./gsu, spell) : spelled
}

function spell(sign: string): string {
  return `⟨U+${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`
}

/** `3 d ago`, `in 12 min`, `now`. */
export function relativeText(at: number, now: number): string {
  const seconds = Math.round((now - at) / 1000)
  if (Math.abs(seconds) < 5) return 'now'
  return seconds > 0 ? `${shortDurationText(seconds)} ago` : `in ${shortDurationText(-seconds)}`
}

/** In the reader's time zone, which it names: `26 Nov 2026, 14:05:12 GMT+1`. */
export function exactText(at: number): string {
  return new Date(at).toLocaleString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  })
}

/** `14:05:12`. */
export function clockText(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB')
}

/** By PRICE_PER_GB_MONTH, which has no currency. A dash where no price is set. */
export function costText(cost: number | null): string {
  if (cost === null) return '–'
  if (cost > 0 && cost < 0.01) return '< 0.01'
  return cost.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
}

export const stateWords: Record<UploadState, string> = {
  pending: 'starting',
  uploading: 'uploading',
  completing: 'completing',
  completed: 'completed',
  aborting: 'aborting',
  aborted: 'aborted',
}

export const bandWords: Record<AgeBand, string> = {
  'under-1-hour': 'under 1 hour',
  '1-hour-to-1-day': '1 hour to 1 day',
  '1-to-3-days': '1 to 3 days',
  '3-to-7-days': '3 to 7 days',
  '7-to-30-days': '7 to 30 days',
  'over-30-days': 'over 30 days',
}

/** `1–37, 40`; of very many ranges the first ones. */
export function rangesText(ranges: readonly (readonly [number, number])[], most = 12): string {
  const shown = ranges.slice(0, most).map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`))
  return ranges.length > most ? `${shown.join(', ')} and ${ranges.length - most} ranges more` : shown.join(', ')
}
