import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { entriesOf, lanesOf } from '../../server/web/admin/timeline.ts'
import { filterOf, fragmentOf, noFilter, queryOf, sensible } from '../../server/web/admin/upload-filter.ts'
import { costText, rangesText, relativeText, shownName } from '../../server/web/admin/words.ts'
import { shortDurationText } from '../../server/web/shared/figures.ts'
import { someDetail, someUpload } from '../browser/admin-fixtures.ts'

const spaced = (text: string) => text.replaceAll('\u00a0', ' ')

describe('a name that strangers chose', () => {
  test.each([
    ['Interview, take 3.mov', 'Interview, take 3.mov'],
    ['<b>&amp;', '<b>&amp;'],
    ['مقابلة.mov', 'مقابلة.mov'],
    ['👩‍👩‍👧.png', '👩‍👩‍👧.png'],
    ['invoice\u202Egpj.exe', 'invoice⟨U+202E⟩gpj.exe'],
    ['a\u200Bb\uFEFF', 'a⟨U+200B⟩b⟨U+FEFF⟩'],
    ['\u200D', '⟨U+200D⟩'],
    ['  ', '⟨U+0020⟩⟨U+0020⟩'],
    ['\u3164', '⟨U+3164⟩'],
    ['\u0301', '⟨U+0301⟩'],
  ])('%j is shown as %j', (name, shown) => expect(shownName(name)).toBe(shown))

  test('always shows something, and nothing that turns its neighbours', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
        const shown = shownName(name)
        expect(shown.trim()).not.toBe('')
        expect(shown).not.toMatch(/[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]/)
      }),
    )
  })
})

describe('figures of the admin page', () => {
  test.each([
    [0, '0 s'],
    [59.9, '59 s'],
    [3599, '59 min'],
    [86_400, '24 h'],
    [172_799, '47 h'],
    [172_800, '2 d'],
  ])('%d seconds are %s', (seconds, text) => expect(spaced(shortDurationText(seconds))).toBe(text))

  test.each([
    [0, 'now'],
    [-720_000, '12 min ago'],
    [7_200_000, 'in 2 h'],
  ])('%d ms from now is %s', (ms, text) => expect(spaced(relativeText(1e12 + ms, 1e12))).toBe(text))

  test.each([
    [null, '–'],
    [0, '0.00'],
    [0.004, '< 0.01'],
    [1234.5, '1,234.50'],
  ])('a cost of %s is %s', (cost, text) => expect(costText(cost)).toBe(text))

  test('ranges of parts are told, of very many only the first', () => {
    expect(
      rangesText([
        [1, 37],
        [40, 40],
      ]),
    ).toBe('1–37, 40')
    expect(
      rangesText(
        Array.from({ length: 20 }, (_, index) => [index * 3 + 1, index * 3 + 1]),
        2,
      ),
    ).toBe('1, 4 and 18 ranges more')
  })
})

describe('the filter in the address', () => {
  test('comes back as it was written, and is empty for no filter', () => {
    const filter = { ...noFilter, tenant: 'a&b=c#d', minBytes: 5, staleForSeconds: 86_400, sort: 'createdAt' } as const
    expect(filterOf(`#${fragmentOf(filter)}`)).toEqual(filter)
    expect(fragmentOf(noFilter)).toBe('')
    expect(filterOf('')).toEqual(noFilter)
  })

  test('is as if it were not said where it says what cannot be', () => {
    expect(filterOf('#state=gone&sort=name&order=up&minBytes=-1&staleForSeconds=1e9&x=y')).toEqual(noFilter)
  })

  test('asks the server nothing it would refuse of ended uploads', () => {
    const filter = { ...noFilter, state: 'completed', minBytes: 5, sort: 'storedBytes', order: 'asc' } as const
    expect(sensible(filter)).toEqual({ ...filter, minBytes: null, sort: 'lastActivityAt', order: 'desc' })
    expect(queryOf(filter, 'c')).toEqual({
      state: 'completed',
      sort: 'lastActivityAt',
      order: 'desc',
      cursor: 'c',
      limit: '20',
    })
  })
})

describe('an upload’s life', () => {
  const now = Date.now()
  const detail = someDetail(someUpload(40))

  test('is told in the order of time, what is to come last', () => {
    const entries = entriesOf(detail, now)
    expect(entries.map(({ at }) => at)).toEqual(entries.map(({ at }) => at).sort((a, b) => a - b))
    expect(entries[0]?.text).toBe('Created')
    expect(entries.at(-1)?.text).toBe('Expires, if nothing more happens')
  })

  test('of one that should have ended says so', () => {
    const late = { ...detail, upload: { ...detail.upload, expiresAt: new Date(now - 60_000).toISOString() } }
    expect(entriesOf(late, now).map(({ text }) => text)).toContain('Expired: the next sweep ends it')
  })

  test('tells of its object: that it was changed, or that somebody else made it and it is left', () => {
    const at = { createdAt: new Date(now).toISOString() }
    const object = { bucket: 'b', key: 'k' }
    const differences = [{ what: 'size', completed: 1, found: 2 } as const]
    const left = { ...object, reason: 'upload-gone', sizeBytes: 2_500_000 } as const
    const events = [
      { id: '1', ...at, kind: 'object-changed', detail: { ...object, differences } } as const,
      { id: '2', ...at, kind: 'object-left', detail: left } as const,
    ]
    const told = entriesOf({ ...detail, events }, now).filter(({ text }) => text.includes('object'))
    expect(told.map(({ text, tone }) => [spaced(text), tone])).toEqual([
      ['The object was changed afterwards: size', 'bad'],
      ['Somebody else completed it: an object of 2.50 MB is left', 'bad'],
    ])
  })

  test('is drawn from its creation to whatever ends last', () => {
    const { whole, lanes } = lanesOf(detail, now)
    expect(lanes.map(({ name }) => name)).toEqual(['Upload', '3 credentials'])
    expect(whole.from).toBe(Date.parse(detail.upload.createdAt))
    for (const { spans } of lanes) for (const { to } of spans) expect(to).toBeLessThanOrEqual(whole.to)
  })
})
