import { type Command, Option } from 'commander'

export type OutputFormat = 'table' | 'json' | 'csv'

export interface FormatOptions {
  json?: true
  csv?: true
}

const formatHelp = `
Output:
  A table, on a terminal fitted to its width. Piped, it is the same table with nothing cut; scripts had better ask for
  --json (exact: every field as the API has it) or --csv (RFC 4180 with a heading line, raw numbers; made for
  spreadsheets: cells that begin with = + - or @ get a ' before them, control characters become ?).
  Totals and hints that are no rows go to stderr.`

/** Adds `--json` and `--csv`, and what they mean. */
export function withFormats(command: Command, json = 'one JSON object per line'): Command {
  return command
    .addOption(new Option('--json', json).conflicts('csv'))
    .addOption(new Option('--csv', 'CSV with a heading line').conflicts('json'))
    .addHelpText('after', formatHelp)
}

export function formatOf({ json, csv }: FormatOptions): OutputFormat {
  if (json) return 'json'
  return csv ? 'csv' : 'table'
}

/** One line of JSON that is safe to show: what a terminal would obey, and JSON lets stand, is escaped. The value stays the same. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
