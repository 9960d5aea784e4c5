/* Numbers as people read them. Pure. A number and its unit stay on one line. */

const nbsp = '\u00a0'

const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Decimal units, three digits: `0 B`, `999 kB`, `1.24 GB`. */
export function sizeText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1)
  const value = bytes / 1000 ** power
  const digits = power === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(digits)}${nbsp}${units[power] ?? ''}`
}

/** Whole percent, rounded down: 100 means that all of it is there. */
export function percentOf(doneBytes: number, totalBytes: number): number {
  return totalBytes === 0 ? 0 : Math.floor((doneBytes / totalBytes) * 100)
}

/** `12 s`, `3 min`, `2 h 5 min`, `4 days`. Coarse on purpose: a line that changes every second draws the eye. */
export function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.ceil(seconds))}${nbsp}s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes}${nbsp}min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48)
    return minutes % 60 === 0 || hours >= 10 ? `${hours}${nbsp}h` : `${hours}${nbsp}h ${minutes % 60}${nbsp}min`
  return `${Math.round(hours / 24)}${nbsp}days`
}

/** `24.1 MB/s · 32 s left`, or what of it is known. */
export function rateText(bytesPerSecond: number, etaSeconds: number | null): string {
  if (bytesPerSecond <= 0) return ''
  const speed = `${sizeText(bytesPerSecond)}/s`
  return etaSeconds === null ? speed : `${speed} · ${durationText(etaSeconds)}${nbsp}left`
}

/** `1 file`, `12 files`. */
export function countText(count: number, word: string): string {
  return `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`
}

/** One unit, whole, for columns: `45 s`, `12 min`, `5 h`, `41 d`. Rounded down: nothing is older than it is said to be. */
export function shortDurationText(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))}${nbsp}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${nbsp}min`
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)}${nbsp}h`
  return `${Math.floor(seconds / 86_400)}${nbsp}d`
}
