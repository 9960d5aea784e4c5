import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cleanFileName, contentDisposition, keySegment, objectKey } from '../../server/uploads/object-key.ts'

const anyText = fc.string({ unit: 'binary', maxLength: 400 }).filter((text) => text.isWellFormed())

describe('objectKey', () => {
  it('is prefix, tenant, random and name', () => {
    expect(objectKey('uploads/', 'acme', 'abc', 'film.mp4')).toBe('uploads/acme/abc/film.mp4')
  })

  it('keeps a tenant that is not plain out of the key', () => {
    expect(objectKey('uploads/', '../acme', 'abc', 'a')).toMatch(/^uploads\/~[0-9a-f]{32}\/abc\/a$/)
  })

  it('stays below the limit of OSS, and free of wildcards and folding segments, for any tenant and name', () => {
    fc.assert(
      fc.property(anyText, anyText, (tenant, name) => {
        const key = objectKey('uploads/', tenant, '0'.repeat(32), name === '' ? 'x' : name)
        expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1023)
        expect(key.split('/')).toHaveLength(4)
        expect(key).not.toMatch(/[*?$\\\p{Cc}]/u)
        for (const segment of key.split('/')) expect(['', '.', '..']).not.toContain(segment)
      }),
    )
  })
})

describe('keySegment', () => {
  it.each(['acme', 'a.b-c_d', '0', 'x'.repeat(64)])('keeps %s as it is', (text) => {
    expect(keySegment(text)).toBe(text)
  })

  it.each(['', '.', '..', 'a/b', 'a*', '目录', 'x'.repeat(65), '~0'])('replaces %j by its hash', (text) => {
    expect(keySegment(text)).toMatch(/^~[0-9a-f]{32}$/)
  })

  it('never maps two texts to one segment', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        if (a !== b) expect(keySegment(a)).not.toBe(keySegment(b))
      }),
    )
  })
})

describe('cleanFileName', () => {
  it.each([
    ['../a', '.._a'],
    ['a*b?.mp4', 'a_b_.mp4'],
    ['目录 é.bin', '目录 é.bin'],
    ['c:\\x$y', 'c:_x_y'],
    ['.', '_'],
    ['..', '__'],
    ['...', '...'],
  ])('makes %j fit for a key as %j', (name, cleaned) => {
    expect(cleanFileName(name)).toBe(cleaned)
  })

  it('cuts a long name between characters and keeps its extension', () => {
    const cleaned = cleanFileName(`${'目'.repeat(300)}.tar.gz`)
    expect(cleaned).toMatch(/^目+\.gz$/)
    expect(Buffer.byteLength(cleaned)).toBeLessThanOrEqual(200)
    expect(Buffer.byteLength(cleaned)).toBeGreaterThan(196)
  })
})

describe('contentDisposition', () => {
  it('carries the true name, whatever it is', () => {
    fc.assert(
      fc.property(anyText, (name) => {
        const header = contentDisposition(name)
        expect(header).toMatch(/^[\x20-\x7e]*$/)
        const extended = /filename\*=UTF-8''([^;]*)$/.exec(header)?.[1] ?? ''
        expect(decodeURIComponent(extended)).toBe(name)
      }),
    )
  })

  it('gives old clients a plain name that cannot break out of its quotes', () => {
    expect(contentDisposition('a"b\\c%é.bin')).toContain('filename="a_b_c__.bin"')
  })
})
