import { noSuchUpload } from '../oss-error.ts'
import { integerParam } from '../oss-request.ts'
import { getObjectTarget, isoInstant, permissionOn, quotedEtag, type Verb, xmlReply } from '../verb.ts'
import type { XmlElement } from '../xml.ts'
import { encodingOf } from './encoding-type.ts'

/** `GET /key?uploadId=U`: parts by number, strictly after the marker. */
export const listParts: Verb = {
  name: 'ListParts',
  permissions: (request) => [permissionOn(request, 'oss:ListParts')],
  async answer(context, request) {
    const { uploads } = context.store
    const { bucket, key } = getObjectTarget(context, request)
    const encoding = encodingOf(request)
    const maxParts = integerParam(request, 'max-parts', { min: 1, max: 1000, fallback: 1000 })
    const marker = integerParam(request, 'part-number-marker', { min: 0, max: 2 ** 31 - 1, fallback: 0 })
    const uploadId = request.params.get('uploadId') ?? ''
    const upload = uploads.find(bucket, key, uploadId)
    const found = await uploads.serial(uploadId, async () => {
      if (upload?.state !== 'open') return null
      const { storageClass } = await uploads.readRecord(upload)
      return { storageClass, parts: [...(await uploads.readParts(upload)).values()] }
    })
    if (!found) throw noSuchUpload(uploadId, '0042-00000002')

    const after = found.parts.filter((part) => part.partNumber > marker).sort((a, b) => a.partNumber - b.partNumber)
    const page = after.slice(0, maxParts)
    return xmlReply([
      'ListPartsResult',
      [
        ...encoding.element,
        ['Bucket', bucket],
        ['Key', encoding.apply(key)],
        ['UploadId', uploadId],
        ['StorageClass', found.storageClass],
        ['PartNumberMarker', marker],
        ['NextPartNumberMarker', page.at(-1)?.partNumber ?? marker],
        ['MaxParts', maxParts],
        ['IsTruncated', after.length > page.length],
        ...page.map(
          (part): XmlElement => [
            'Part',
            [
              ['PartNumber', part.partNumber],
              ['LastModified', isoInstant(part.lastModifiedAt)],
              ['ETag', quotedEtag(part.md5)],
              ['HashCrc64ecma', part.crc64.toString()],
              ['Size', part.sizeBytes],
            ],
          ],
        ),
      ],
    ])
  },
}
