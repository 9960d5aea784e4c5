import { compareUtf8 } from '../files/sorted-list.ts'
import { integerParam } from '../oss-request.ts'
import { getBucket, isoInstant, permissionOn, type Verb, xmlReply } from '../verb.ts'
import type { XmlElement } from '../xml.ts'
import { encodingOf } from './encoding-type.ts'
import { pageOfKeys } from './page-of-keys.ts'

/** `GET /?uploads`: open uploads by key, then id. A key marker alone skips the whole key; with an id it goes on inside the key. */
export const listMultipartUploads: Verb = {
  name: 'ListMultipartUploads',
  permissions: (request) => [permissionOn(request, 'oss:ListMultipartUploads')],
  async answer(context, request) {
    const { name } = getBucket(context, request)
    const encoding = encodingOf(request)
    const text = (param: string) => request.params.get(param) ?? ''
    const prefix = text('prefix')
    const delimiter = text('delimiter')
    const keyMarker = text('key-marker')
    const idMarker = keyMarker === '' ? '' : text('upload-id-marker')
    const limit = integerParam(request, 'max-uploads', { min: 1, max: 1000, fallback: 1000 })
    const { lines, isTruncated } = pageOfKeys(context.store.uploads.inBucket(name), {
      prefix,
      delimiter,
      marker: keyMarker,
      limit,
      isBeyond: (upload) => {
        const order = compareUtf8(upload.key, keyMarker)
        return order > 0 || (order === 0 && idMarker !== '' && upload.uploadId > idMarker)
      },
    })
    const last = lines.at(-1)
    const nextKey = last === undefined ? '' : 'item' in last ? last.item.key : last.commonPrefix
    const nextId = last !== undefined && 'item' in last ? last.item.uploadId : ''
    return xmlReply([
      'ListMultipartUploadsResult',
      [
        ...encoding.element,
        ['Bucket', name],
        ['KeyMarker', encoding.apply(keyMarker)],
        ['UploadIdMarker', idMarker],
        ['NextKeyMarker', encoding.apply(isTruncated ? nextKey : '')],
        ['NextUploadIdMarker', isTruncated ? nextId : ''],
        ['Delimiter', encoding.apply(delimiter)],
        ['Prefix', encoding.apply(prefix)],
        ['MaxUploads', limit],
        ['IsTruncated', isTruncated],
        ...lines.map(
          (line): XmlElement =>
            'item' in line
              ? [
                  'Upload',
                  [
                    ['Key', encoding.apply(line.item.key)],
                    ['UploadId', line.item.uploadId],
                    ['Initiated', isoInstant(line.item.initiatedAt)],
                  ],
                ]
              : ['CommonPrefixes', [['Prefix', encoding.apply(line.commonPrefix)]]],
        ),
      ],
    ])
  },
}
