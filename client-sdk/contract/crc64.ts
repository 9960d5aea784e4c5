/**
 * CRC-64/XZ, the checksum OSS reports as `x-oss-hash-crc64ecma`: reflected ECMA-182, init and xorout all ones, printed as an
 * unsigned decimal. This file holds the arithmetic on finished checksums, which needs no library; hashing gigabytes is a port's
 * job. Source: OSS "Check data integrity by using CRC-64"; test vectors in test/unit/crc64.test.ts.
 *
 * Values are bigints in [0, 2^64). The reflected form puts the coefficient of x^0 in the highest bit.
 */
const polynomial = 0xc96c5795d7870f42n
const one = 1n << 63n
const allOnes = (1n << 64n) - 1n

/** The product of two polynomials modulo the CRC's own. */
function multiply(a: bigint, b: bigint): bigint {
  let product = 0n
  let shifted = b
  for (let rest = a; rest !== 0n; rest = (rest << 1n) & allOnes) {
    if ((rest & one) !== 0n) product ^= shifted
    shifted = (shifted & 1n) === 0n ? shifted >> 1n : (shifted >> 1n) ^ polynomial
  }
  return product
}

/** x^(8 · lengthBytes): multiplying a checksum by it is what appending `lengthBytes` bytes does. By repeated squaring. */
function powerOfLength(lengthBytes: number): bigint {
  let result = one
  let square = one >> 8n
  for (let rest = lengthBytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = multiply(square, result)
    square = multiply(square, square)
  }
  return result
}

/**
 * Joins checksums of consecutive pieces: `combine(crcOfA, crcOfB, bytesInB)` is the checksum of A followed by B.
 * The operator for the last length is kept, because all parts of an upload but one are equally long: 10,000 parts
 * then cost 10,000 multiplications, not 10,000 exponentiations.
 */
export function createCrc64Combiner(): (crcA: bigint, crcB: bigint, bytesInB: number) => bigint {
  let lastLength = 0
  let lastPower = one
  return (crcA, crcB, bytesInB) => {
    if (bytesInB !== lastLength) {
      lastLength = bytesInB
      lastPower = powerOfLength(bytesInB)
    }
    return multiply(lastPower, crcA) ^ crcB
  }
}

/** One join; see {@link createCrc64Combiner} for a fold over many parts. */
export function combineCrc64(crcA: bigint, crcB: bigint, bytesInB: number): bigint {
  return createCrc64Combiner()(crcA, crcB, bytesInB)
}

/** The checksum of a whole object from its parts in order; 0n for no parts, as for an empty object. */
export function foldCrc64(parts: Iterable<{ crc64: bigint; sizeBytes: number }>): bigint {
  const combine = createCrc64Combiner()
  let whole = 0n
  for (const part of parts) whole = combine(whole, part.crc64, part.sizeBytes)
  return whole
}

let table: { high: Uint32Array; low: Uint32Array } | undefined

function byteTable() {
  if (table) return table
  const high = new Uint32Array(256)
  const low = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) value = (value & 1n) === 0n ? value >> 1n : (value >> 1n) ^ polynomial
    high[byte] = Number(value >> 32n)
    low[byte] = Number(value & 0xffffffffn)
  }
  table = { high, low }
  return table
}

/** The checksum of bytes in memory, going on from `previous` (the checksum of what came before). Plain and dependency-free;
 *  about a tenth of the speed of the WebAssembly one, so for small inputs. */
export function crc64(bytes: Uint8Array, previous = 0n): bigint {
  const { high: tableHigh, low: tableLow } = byteTable()
  const start = previous ^ allOnes
  let high = Number(start >> 32n)
  let low = Number(start & 0xffffffffn)
  for (const byte of bytes) {
    const index = (low ^ byte) & 0xff
    low = ((low >>> 8) | (high << 24)) ^ (tableLow[index] ?? 0)
    high = (high >>> 8) ^ (tableHigh[index] ?? 0)
  }
  return ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)) ^ allOnes
}
