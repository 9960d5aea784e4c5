import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fingerprintOf, fingerprintRanges } from '../../client-sdk/fingerprint.ts'
import { createNodeHashing } from '../../client-sdk/node/node-hashing.ts'
import { readerSource } from '../../client-sdk/node/reader-source.ts'

const hashing = createNodeHashing()
const MiB = 1_048_576

describe('the fingerprint of a file', () => {
  it('is made of ranges inside the file, in order, its first and last byte among them, 4 MiB at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 53_687_091_200_000 }), (sizeBytes) => {
        const ranges = fingerprintRanges(sizeBytes)
        let end = 0
        for (const range of ranges) {
          expect(range.start).toBeGreaterThanOrEqual(end)
          expect(range.end).toBeGreaterThan(range.start)
          end = range.end
        }
        expect(ranges[0]?.start).toBe(0)
        expect(end).toBe(sizeBytes)
        expect(ranges.reduce((sum, range) => sum + range.end - range.start, 0)).toBeLessThanOrEqual(4 * MiB)
      }),
    )
    expect(fingerprintRanges(0)).toEqual([])
  })

  it('depends on size and sampled content, and on nothing else', async () => {
    const bytes = new Uint8Array(6 * MiB).map((_, index) => index % 251)
    const of = (content: Uint8Array, name: string) =>
      fingerprintOf(readerSource({ sizeBytes: content.length, name, read: (s, e) => content.subarray(s, e) }), hashing)
    const original = await of(bytes, 'one.bin')
    expect(original).toMatch(/^p1:6291456:[0-9a-f]{32}:[0-9]+$/)
    expect(original).toMatch(/^[A-Za-z0-9._~:+/=-]{1,200}$/)
    expect(await of(bytes, 'two.bin')).toBe(original)
    expect(await of(bytes.subarray(1), 'one.bin')).not.toBe(original)
    for (const position of [0, 5, bytes.length - 1]) {
      const changed = bytes.slice()
      changed[position] = (changed[position] ?? 0) ^ 1
      expect(await of(changed, 'one.bin')).not.toBe(original)
    }
  })

  it('of a file of terabytes reads no more than of a small one', async () => {
    let readBytes = 0
    const sizeBytes = 53_687_091_200_000
    const read = (start: number, end: number) => {
      readBytes += end - start
      return new Uint8Array(end - start)
    }
    await fingerprintOf(readerSource({ sizeBytes, read }), hashing)
    expect(readBytes).toBe(32 * 65_536)
  })
})

describe('hashing in Node', () => {
  it('gives the MD5 and CRC-64 of known vectors', async () => {
    const of = (text: string) => hashing.digest({ sizeBytes: text.length, stream: () => [Buffer.from(text)] })
    expect(await of('hello world')).toEqual({ md5: 'XrY7u+Ae7tCTyyK7j1rNww==', crc64: 5981764153023615706n })
    expect(await of('123456789')).toEqual({ md5: 'JfnnlDI7RTiF9RgfG2JNCw==', crc64: 11051210869376104954n })
    expect(await hashing.digest({ sizeBytes: 0, stream: () => [] })).toEqual({
      md5: '1B2M2Y8AsgTpgAmY7PhCfg==',
      crc64: 0n,
    })
  })

  it('keeps parts apart that are hashed at the same time, and stops when it is told to', async () => {
    const piece = (byte: number) => new Uint8Array(3 * MiB).fill(byte)
    const of = (byte: number) => hashing.digest({ sizeBytes: 6 * MiB, stream: () => [piece(byte), piece(byte)] })
    const alone = [await of(1), await of(2), await of(3)]
    expect(await Promise.all([of(1), of(2), of(3)])).toEqual(alone)
    const controller = new AbortController()
    const hashed = hashing.digest({ sizeBytes: 6 * MiB, stream: () => [piece(1), piece(1)] }, controller.signal)
    controller.abort(new Error('enough'))
    await expect(hashed).rejects.toThrow('enough')
  })
})
