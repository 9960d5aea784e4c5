/** 734003200 → `700.0 MiB`. */
export function bytesInWords(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`
}

/** 3725 → `1 h 02 min`; null, for "nobody can tell", → `?`. */
export function secondsInWords(seconds: number | null): string {
  if (seconds === null) return '?'
  const pad = (value: number) => String(value).padStart(2, '0')
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${pad(Math.floor((seconds % 3600) / 60))} min`
}

/** 0.5 → `0.50`, null, for "no price is set", → `-`. In the currency of PRICE_PER_GB_MONTH. */
export function costInWords(cost: number | null): string {
  if (cost === null) return '-'
  return cost > 0 && cost < 0.01 ? '<0.01' : inThousands(cost, 2)
}

/** 1234567 → `1,234,567`. */
export function inThousands(value: number, fractionDigits = 0): string {
  const digits = { minimumFractionDigits: fractionDigits, maximumFractionDigits: fractionDigits }
  return value.toLocaleString('en-US', digits)
}

/** `1 upload`, `2,000 uploads`. */
export function countOf(count: number, noun: string): string {
  return `${inThousands(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** ISO 8601 → `2026-11-26 04:05` (UTC). */
export function minuteOf(instant: string): string {
  return instant.slice(0, 16).replace('T', ' ')
}

/** Text without what a terminal would obey: file names may hold escape sequences, further lines, and orders to write from right to left. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '?')
}
