import { ingest } from '../files/ingest.ts'
import { entityTooLarge, invalidArgument, noSuchUpload } from '../oss-error.ts'
import type { OssRequest } from '../oss-request.ts'
import { getObjectTarget, isoInstant, permissionOn, quotedEtag, type Verb, xmlReply } from '../verb.ts'
import { openCopySource, sourcePermission } from './copy-source.ts'
import { MAX_PART_BYTES, readPartNumber, receivePart } from './upload-part.ts'

const EC_NO_SUCH_UPLOAD = '0042-00000311'

/** `PUT /key?partNumber=N&uploadId=U` with `x-oss-copy-source`: a part from bytes of an object. A range that the source cannot
 *  serve copies all of it, as OSS documents. */
export const uploadPartCopy: Verb = {
  name: 'UploadPartCopy',
  permissions: (request) => [sourcePermission(request), permissionOn(request, 'oss:PutObject')],
  async answer(context, request) {
    const { bucket, key } = getObjectTarget(context, request)
    const partNumber = readPartNumber(request)
    const uploadId = request.params.get('uploadId') ?? ''
    const upload = context.store.uploads.find(bucket, key, uploadId)
    if (!upload) throw noSuchUpload(uploadId, EC_NO_SUCH_UPLOAD)
    const source = await openCopySource(context, request)
    const { sizeBytes } = source.manifest
    const range = readSourceRange(request, sizeBytes)
    const { start, end } = range ?? { start: 0, end: sizeBytes }
    if (end - start > MAX_PART_BYTES) throw entityTooLarge(MAX_PART_BYTES)
    const part = await receivePart(context, upload, partNumber, EC_NO_SUCH_UPLOAD, async () => ({
      bytes: await ingest(context.store.tmpDir, source.bytes(start, end)),
      check: () => undefined,
    }))
    return xmlReply(
      [
        'CopyPartResult',
        [
          ['LastModified', isoInstant(part.lastModifiedAt)],
          ['ETag', quotedEtag(part.md5)],
        ],
      ],
      // The official JavaScript client reads the ETag from the header, others from the document.
      {
        ETag: quotedEtag(part.md5),
        ...(range ? { 'Content-Range': `bytes ${start}-${end - 1}/${sizeBytes}` } : {}),
      },
    )
  },
}

function readSourceRange(request: OssRequest, sizeBytes: number): { start: number; end: number } | null {
  const text = request.headers['x-oss-copy-source-range']
  if (text === undefined) return null
  const match = /^bytes=(\d{1,16})-(\d{1,16})$/.exec(text)
  if (!match) throw invalidArgument('The range is invalid.', 'x-oss-copy-source-range', text.slice(0, 100))
  const start = Number(match[1])
  const end = Number(match[2]) + 1
  return start < end && end <= sizeBytes ? { start, end } : null
}
