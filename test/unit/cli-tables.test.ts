import fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { commandLine } from '../../server/cli/admin-options.ts'
import { toCsv } from '../../server/cli/csv.ts'
import { ageInWords, durationText, parseDuration } from '../../server/cli/duration.ts'
import { jsonLine } from '../../server/cli/output-format.ts'
import { barOf } from '../../server/cli/summary-in-words.ts'
import { type Column, headingOf, layOut, rowLine } from '../../server/cli/table.ts'
import { parseBytes } from '../../server/cli/upload-arguments.ts'
import { costInWords, printable } from '../../server/cli/upload-words.ts'

interface Row {
  id: string
  bytes: number
  owner: string
  name: string
}

const columns: Column<Row>[] = [
  { title: 'ID', text: ({ id }) => id },
  { title: 'BYTES', align: 'right', text: ({ bytes }) => String(bytes), leaves: 0 },
  { title: 'OWNER', text: ({ owner }) => owner, shrinksTo: 6, leaves: 1 },
  { title: 'NAME', text: ({ name }) => name, shrinksTo: 8 },
]
const row = (fields: Partial<Row> = {}): Row => ({ id: 'upl_1', bytes: 7, owner: 'acme', name: 'a.bin', ...fields })

function linesOf(rows: Row[], width: number | null): string[] {
  const layout = layOut(columns, rows, width)
  return [headingOf(layout), ...rows.map((one) => rowLine(layout, one, width !== null))]
}

describe('a table', () => {
  it('lines its columns up, numbers to the right, with nothing behind the last', () => {
    expect(linesOf([row(), row({ id: 'upl_22', bytes: 1234, name: 'b' })], null)).toEqual([
      'ID      BYTES  OWNER  NAME',
      'upl_1       7  acme   a.bin',
      'upl_22   1234  acme   b',
    ])
  })

  it('cuts the middle of long names on a terminal, and nothing elsewhere', () => {
    const long = row({ name: `${'n'.repeat(100)}.tar.gz` })
    expect(linesOf([long], 50)[1]).toMatch(/^upl_1 {6}7 {2}acme {3}n+…n*[.]tar[.]gz$/)
    expect(linesOf([long], 50).map((line) => line.length)).toEqual([25, 50])
    expect(linesOf([long], null)[1]).toContain(long.name)
  })

  it('leaves columns out where even that is too wide, the least important first', () => {
    expect(linesOf([row({ name: 'n'.repeat(40) })], 28)[0]).toBe('ID     OWNER  NAME')
    expect(linesOf([row({ name: 'n'.repeat(40) })], 20)[0]).toBe('ID     NAME')
  })

  it('counts what a letter takes on the screen, not how it is stored', () => {
    const [, one, two] = linesOf([row({ owner: '旅行', name: 'x' }), row({ owner: 'é́́é', name: 'x' })], 80)
    expect([stringWidth(one ?? ''), stringWidth(two ?? '')]).toEqual([22, 22])
    expect(stringWidth(linesOf([row({ name: '旅'.repeat(200) })], 60)[1] ?? '')).toBeLessThanOrEqual(60)
  })

  it('lets no text break out of its line or steer the terminal, whatever it holds', () => {
    const hostile = fc.string({
      unit: fc.oneof(
        fc.constantFrom('\u001b[2J', '\n', '\r', '\u009b31m', '\u2028', '\u202e', '\u00ad', '\u200d', '\u0301', '😀'),
        fc.string({ unit: 'binary', maxLength: 3 }),
      ),
      maxLength: 60,
    })
    fc.assert(
      fc.property(hostile, hostile, fc.integer({ min: 40, max: 120 }), (owner, name, width) => {
        for (const line of linesOf([row({ owner, name }), row()], width)) {
          expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u00ad\u200d]/u)
          expect(stringWidth(line)).toBeLessThanOrEqual(width)
        }
      }),
    )
    expect(linesOf([row({ name: `a${'\u0301'.repeat(500)}` })], null)[1]).toBe(
      'upl_1      7  acme   a\u0301\u0301\u0301\u0301',
    )
  })
})

describe('CSV', () => {
  const rows = [
    row({ id: '=1+1', bytes: 5_000_000_000, name: 'a "quoted", name' }),
    row({ id: '-2', owner: '@SUM(A1)', name: '+cmd|x', bytes: -3 }),
  ]

  it('has a heading once, raw numbers, and quotes as RFC 4180 asks for', () => {
    expect(toCsv(['bytes', 'name'], rows.slice(0, 1), true)).toBe('bytes,name\r\n5000000000,"a ""quoted"", name"\r\n')
    expect(toCsv(['bytes', 'name'], [], true)).toBe('bytes,name\r\n')
    expect(toCsv(['bytes'], rows, false)).toBe('5000000000\r\n-3\r\n')
  })

  it('starts no formula in a spreadsheet, and holds no control characters', () => {
    expect(toCsv(['id', 'owner', 'name'], rows, false)).toBe(
      `'=1+1,acme,"a ""quoted"", name"\r\n'-2,'@SUM(A1),'+cmd|x\r\n`,
    )
    expect(toCsv(['id'], [{ id: 'a\n\u001b=1\u202e' }, { id: '\t=1' }], false)).toBe('a??=1?\r\n?=1\r\n')
  })

  it('says null with nothing, lists with spaces and yes or no in words', () => {
    const mixed = [{ none: null, list: ['adopt', 'abort'], is: false, last: 0 }]
    expect(toCsv(['none', 'list', 'is', 'last'], mixed, false)).toBe(',adopt abort,false,0\r\n')
  })
})

it('JSON shows a terminal nothing that it would obey, and means the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const line = jsonLine({ name: `${name}\u009b\u202e\u2028\u007f` })
      expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
      expect(JSON.parse(line)).toEqual({ name: `${name}\u009b\u202e\u2028\u007f` })
    }),
  )
  expect(printable('a\u001b[2J\nb\u202ec\u2029')).toBe('a?[2J?b?c?')
})

describe('durations and sizes', () => {
  it('are read with a unit and told in the largest one that is exact', () => {
    expect(['0s', '90s', '15m', '24h', '7d'].map(parseDuration)).toEqual([0, 90, 900, 86_400, 604_800])
    expect([0, 90, 900, 86_400, 604_800, 5400].map(durationText)).toEqual(['0s', '90s', '15m', '24h', '7d', '90m'])
    fc.assert(
      fc.property(fc.nat(999_999_999), (seconds) => {
        expect(parseDuration(durationText(seconds))).toBe(seconds)
      }),
    )
  })

  it('are refused when they are none', () => {
    for (const text of ['', '24', 'h', '1.5h', '-1h', '1 h', '24H', '1w', '99999999h', '1h30m'])
      expect(() => parseDuration(text), text).toThrow('Give a duration')
    for (const text of ['', 'MiB', '1.5M', '-1', '9999999999999999', '9999999t'].slice(0, 5))
      expect(() => parseBytes(text), text).toThrow('Give a size')
    expect(['0', '1048576', '100MiB', '2g', '1T'].map(parseBytes)).toEqual([
      0,
      1_048_576,
      104_857_600,
      2 ** 31,
      2 ** 40,
    ])
  })

  it('are told so that nothing looks older than it is', () => {
    expect([0, 119, 120, 7199, 7200, 172_799, 172_800, 8_640_000].map(ageInWords)).toEqual([
      '0 s',
      '119 s',
      '2 min',
      '119 min',
      '2 h',
      '47 h',
      '2 d',
      '100 d',
    ])
    expect([null, 0, 0.001, 0.5, 1234.567].map(costInWords)).toEqual(['-', '0.00', '<0.01', '0.50', '1,234.57'])
  })
})

it('bars grow with their share, and whatever is not nothing is seen', () => {
  expect([0, 0.0001, 0.5, 1].map(barOf)).toEqual(['', '▏', '█'.repeat(12), '█'.repeat(24)])
})

it('a command line can be given to a shell as it stands', () => {
  expect(commandLine(['partway', 'sweep', '--older-than', '24h', '--tenant', "o'neil; rm -rf $HOME"])).toBe(
    `partway sweep --older-than 24h --tenant 'o'\\''neil; rm -rf $HOME'`,
  )
})
