import { MAX_PART_BYTES, MIN_PART_BYTES } from '@partway/client'
import { InvalidArgumentError } from 'commander'

export function parseCount(text: string): number {
  const count = /^[0-9]{1,2}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= 32) return count
  throw new InvalidArgumentError('Give a whole number from 1 to 32.')
}

export function parseSeconds(text: string): number {
  if (/^[0-9]{1,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give a number of seconds.')
}

const unitBytes: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

/** `16MiB`, `16M`, `16777216`: binary units, 1 MiB to 5 GiB. */
export function parsePartSize(text: string): number {
  const bytes = bytesIn(text)
  if (bytes >= MIN_PART_BYTES && bytes <= MAX_PART_BYTES) return bytes
  throw new InvalidArgumentError('Give a size from 1MiB to 5GiB, such as 16MiB.')
}

/** The same without bounds, but those of a number of bytes. */
export function parseBytes(text: string): number {
  const bytes = bytesIn(text)
  if (bytes <= Number.MAX_SAFE_INTEGER) return bytes
  throw new InvalidArgumentError('Give a size such as 1048576, 100MiB or 2GiB.')
}

/** NaN when `text` is no size. */
function bytesIn(text: string): number {
  const [, digits, unit] = /^([0-9]{1,16})(?:([kmgt])(?:i?b)?)?$/i.exec(text) ?? []
  return Number(digits) * (unitBytes[unit?.toLowerCase() ?? ''] ?? Number.NaN)
}
