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

/** Text without what a terminal would obey: file names may hold escape sequences. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}
