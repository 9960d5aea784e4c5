import type { ByteSource } from '../byte-source.ts'
import { ClientException } from '../errors.ts'
import { readBlob, readBlobPieces } from './blob-bytes.ts'

const pieceBytes = 524_288

/**
 * A Blob as a source, a picked or dropped File for one. Nothing is read here. Throws ClientException `invalid-argument` for anything
 * else. A file that changes on disk meanwhile cannot be read any more, so that old and new bytes are never mixed.
 */
export async function openBlobSource(source: Blob): Promise<ByteSource> {
  // By its tag and not by `instanceof`: a Blob of another frame is one, too.
  if (!['[object Blob]', '[object File]'].includes(Object.prototype.toString.call(source))) {
    throw new ClientException('invalid-argument', 'the source must be a File or Blob')
  }
  // Chromium notes size and time of change of a file when its size is first asked for, and cuts slices by them. A slice has no type:
  // a Content-Type that was not signed would break the signature.
  const whole = source.slice(0, source.size)
  const { name, lastModified, webkitRelativePath: path } = source as Partial<File>
  return {
    name: name || 'upload',
    sizeBytes: whole.size,
    contentType: source.type || undefined,
    identity: name ? JSON.stringify([path || name, lastModified]) : undefined,
    read: (start, end) => readBlob(whole.slice(start, end)),
    stream: (start, end) => readBlobPieces(whole.slice(start, end), pieceBytes),
    blob: (start, end) => whole.slice(start, end),
    async checkUnchanged() {
      // One byte is enough to make the browser look. An empty slice would not be looked at.
      await readBlob(whole.size > 0 ? whole.slice(-1) : source)
    },
    async close() {},
  }
}
