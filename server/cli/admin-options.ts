import { InvalidArgumentError, Option } from 'commander'
import { parseDuration } from './duration.ts'

/** Options that several of the administrators' commands share. */

export function olderThanOption(description: string): Option {
  return new Option('--older-than <duration>', description).argParser(parseDuration).default(86_400, '24h')
}

export function tenantOption(): Option {
  return new Option('--tenant <tenant>', 'only of this tenant')
}

export function limitOption(description: string, byDefault: number): Option {
  return new Option('--limit <count>', description).argParser(parseCount).default(byDefault)
}

export function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text)) throw new InvalidArgumentError('Give a number from 1 to 9999999.')
  return Number(text)
}

/** The command line that does what a dry run only told: as it was given, with `--yes`. Quoted for POSIX shells. */
export function commandLine(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ')
}
