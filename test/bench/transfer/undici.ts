import { open } from 'node:fs/promises'
import { Agent, request } from 'undici'
import type { Prepare } from '../support/contender-process.ts'
import type { TransferInput, TransferResult } from './input.ts'

/** The floor: the same parts read and PUT by undici, and nothing else. */
export const prepare: Prepare<TransferInput, TransferResult> = async (input) => {
  const { path, sizeBytes, partSizeBytes, parallel, partUrls = [] } = input
  const dispatcher = new Agent()
  return async () => {
    const file = await open(path)
    const parts = partUrls.entries()
    const sendParts = async () => {
      const buffer = Buffer.allocUnsafeSlow(partSizeBytes)
      for (const [index, url] of parts) {
        const start = index * partSizeBytes
        const length = Math.min(partSizeBytes, sizeBytes - start)
        const { bytesRead } = await file.read(buffer, 0, length, start)
        const reply = await request(url, { method: 'PUT', body: buffer.subarray(0, bytesRead), dispatcher })
        const text = await reply.body.text()
        if (reply.statusCode !== 200) throw new Error(`part ${index + 1}: ${reply.statusCode} ${text.slice(0, 200)}`)
      }
    }
    await Promise.all(Array.from({ length: parallel }, sendParts))
    await file.close()
    return { location: '' }
  }
}
