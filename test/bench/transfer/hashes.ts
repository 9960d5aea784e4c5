import { createHash, randomBytes } from 'node:crypto'
import { createCRC64 } from 'hash-wasm'
import type { Prepare } from '../support/contender-process.ts'
import type { TransferInput } from './input.ts'

const pieceBytes = 131_072

/** What MD5 and CRC-64 of as many bytes cost, in pieces as they come from a file, and nothing else. */
export const prepare: Prepare<TransferInput, object> = async ({ sizeBytes, partSizeBytes }) => {
  const piece = randomBytes(pieceBytes)
  const crc64 = await createCRC64()
  return async () => {
    for (let part = 0; part < sizeBytes; part += partSizeBytes) {
      const md5 = createHash('md5')
      crc64.init()
      for (let start = part; start < Math.min(part + partSizeBytes, sizeBytes); start += pieceBytes) {
        md5.update(piece)
        crc64.update(piece)
      }
      md5.digest('base64')
      crc64.digest()
    }
    return {}
  }
}
