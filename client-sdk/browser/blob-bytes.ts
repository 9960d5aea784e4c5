import { ClientException } from '../errors.ts'

/**
 * All bytes of a Blob. Throws ClientException `source-changed` when the file behind it is no longer what was picked, and
 * `source-unreadable` when it cannot be read at all.
 */
export async function readBlob(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  let bytes: Uint8Array<ArrayBuffer>
  try {
    bytes = new Uint8Array(await blob.arrayBuffer())
  } catch (error) {
    throw unreadable(error)
  }
  // Some browsers give what is left of a file that was cut short, and say nothing.
  if (bytes.byteLength !== blob.size) throw new ClientException('source-changed', 'The file has another size now')
  return bytes
}

/** The bytes in pieces of `pieceBytes`, each read while the one before is in use: never more than two in memory. Throws like `readBlob`. */
export async function* readBlobPieces(blob: Blob, pieceBytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const readAt = (start: number) => {
    if (start >= blob.size) return undefined
    const piece = readBlob(blob.slice(start, start + pieceBytes))
    // A failure of the read ahead is thrown when its turn comes, not as an unhandled rejection before.
    piece.catch(() => {})
    return piece
  }
  let next = readAt(0)
  for (let start = pieceBytes; next; start += pieceBytes) {
    const piece = await next
    next = readAt(start)
    yield piece
  }
}

/**
 * What reading a picked file throws. Chromium: NotReadableError once its size or time of change differ, NotFoundError when it was
 * removed, renamed, or is a folder. Others swap the two, hence the words.
 */
function unreadable(error: unknown): ClientException {
  if (error instanceof DOMException && error.name === 'NotReadableError') {
    const words = 'The file was changed after it was picked, or may no longer be read: pick it again'
    return new ClientException('source-changed', words, { cause: error })
  }
  const words = 'The file cannot be read: it was removed, renamed or changed after it was picked, or it is a folder'
  return new ClientException('source-unreadable', words, { cause: error })
}
