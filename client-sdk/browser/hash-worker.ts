import { toException } from '../errors.ts'
import { readBlobPieces } from './blob-bytes.ts'
import { type HashCall, type HashReply, signOfLifeMs } from './hash-messages.ts'
import { createPartHashers } from './part-hasher.ts'

/** Read and hashed at once; two of them are in memory for each part. */
const pieceBytes = 2 * 1_048_576

const hashers = createPartHashers()
/** The calls that are still wanted. */
const wanted = new Set<number>()
const reply = (message: HashReply) => postMessage(message)

addEventListener('message', ({ data }: MessageEvent<HashCall>) => {
  if (data.blob) void answer(data.id, data.blob, data.withMd5)
  else wanted.delete(data.id)
})
setInterval(() => {
  if (wanted.size > 0) reply({})
}, signOfLifeMs)
reply({})

async function answer(id: number, blob: Blob, withMd5: boolean): Promise<void> {
  wanted.add(id)
  const hasher = await hashers.take(undefined, withMd5)
  try {
    for await (const piece of readBlobPieces(blob, pieceBytes)) {
      if (!wanted.has(id)) return
      hasher.update(piece)
    }
    reply({ id, digest: hasher.digest() })
  } catch (error) {
    const exception = toException(error)
    const code = 'status' in exception ? 'unexpected' : exception.code
    reply({ id, error: { code, message: exception.message } })
  } finally {
    wanted.delete(id)
    hashers.give(hasher)
  }
}
