import { InvalidArgumentError } from 'commander'

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
const MAX_SECONDS = 999_999_999

/** `90s`, `15m`, `24h`, `7d` → seconds. The unit is required, so that nobody sweeps minutes for hours. */
export function parseDuration(text: string): number {
  const [, digits, unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? []
  const seconds = Number(digits) * (units[unit] ?? Number.NaN)
  if (seconds <= MAX_SECONDS) return seconds
  throw new InvalidArgumentError('Give a duration such as 90s, 15m, 24h or 7d.')
}

/** What {@link parseDuration} reads as `seconds`, in the largest unit that says it: 86400 → `24h`, 604800 → `7d`. */
export function durationText(seconds: number): string {
  const [unit, length] = Object.entries(units).findLast(
    ([unit, length]) => seconds % length === 0 && (unit !== 'd' || seconds > length),
  ) ?? ['s', 1]
  return seconds === 0 ? '0s' : `${seconds / length}${unit}`
}

/** For a column of ages: 45 → `45 s`, 93600 → `26 h`, 604800 → `7 d`. Rounded down. */
export function ageInWords(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}
