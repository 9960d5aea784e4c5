import { combineCrc64, crc64, createCrc64Combiner, foldCrc64 } from '@partway/client/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('crc64', () => {
  // Known answers: input, unsigned decimal, hex.
  it.each([
    ['', 0n, 0x0n],
    ['a', 3675645893302102789n, 0x330284772e652b05n],
    ['123456789', 11051210869376104954n, 0x995dc9bbdf1939fan],
    ['hello world', 5981764153023615706n, 0x53037ecdef2352dan],
    ['The quick brown fox jumps over the lazy dog', 6583902852472283588n, 0x5b5eb8c2e54aa1c4n],
    ['a'.repeat(102_400), 12696911168479852064n, 0xb0347d6fc5ee7620n],
    ['12345', 6748440630437108969n, 6748440630437108969n],
    ['6789', 10278880121275185425n, 10278880121275185425n],
    ['tail', 1564134088860173973n, 1564134088860173973n],
  ])('gives the known answer for %.20j', (text, decimal, hex) => {
    expect(crc64(bytes(text))).toBe(decimal)
    expect(crc64(bytes(text))).toBe(hex)
  })

  it('gives the known answer for a mebibyte of zeros', () => {
    expect(crc64(new Uint8Array(1_048_576))).toBe(6947770692288575170n)
  })

  it('goes on from the checksum of what came before', () => {
    expect(crc64(bytes('6789'), crc64(bytes('12345')))).toBe(11051210869376104954n)
  })
})

describe('combineCrc64', () => {
  it('gives the known answers for joined pieces', () => {
    expect(combineCrc64(6748440630437108969n, 10278880121275185425n, 4)).toBe(11051210869376104954n)
    expect(combineCrc64(12696911168479852064n, 1564134088860173973n, 4)).toBe(16096605928267898049n)
  })

  it('leaves a checksum alone when nothing follows', () => {
    expect(combineCrc64(11051210869376104954n, 0n, 0)).toBe(11051210869376104954n)
  })

  it('equals hashing the whole, wherever it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (pieces) => {
        const whole = crc64(Uint8Array.from(pieces.flatMap((piece) => [...piece])))
        const folded = foldCrc64(pieces.map((piece) => ({ crc64: crc64(piece), sizeBytes: piece.length })))
        expect(folded).toBe(whole)
      }),
    )
  })

  it('reaches lengths beyond 32 bits: two halves of 4 GiB of zeros make 8 GiB', () => {
    const combine = createCrc64Combiner()
    let length = 1_048_576
    let zeros = 6947770692288575170n
    while (length < 2 ** 32) {
      zeros = combine(zeros, zeros, length)
      length *= 2
    }
    const inOneStep = combineCrc64(zeros, zeros, length)
    const inThree = combine(combine(zeros, zeros, length), 0n, 0)
    expect(inThree).toBe(inOneStep)
    // An identity of the operator: a piece of n bytes, then m, is a piece of n + m.
    expect(combineCrc64(combineCrc64(1n, 0n, 2 ** 32), 0n, 2 ** 33)).toBe(combineCrc64(1n, 0n, 2 ** 32 + 2 ** 33))
  })
})
