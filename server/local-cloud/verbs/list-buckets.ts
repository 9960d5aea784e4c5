import { integerParam } from '../oss-request.ts'
import { permissionOn, type Verb, xmlReply } from '../verb.ts'
import type { XmlElement } from '../xml.ts'
import { bucketElements } from './bucket-element.ts'
import { ownerElement } from './owner-element.ts'

/** `GET /` without a bucket. */
export const listBuckets: Verb = {
  name: 'ListBuckets',
  permissions: (request) => [permissionOn(request, 'oss:ListBuckets')],
  async answer(context, request) {
    const prefix = request.params.get('prefix') ?? ''
    const marker = request.params.get('marker') ?? ''
    const limit = integerParam(request, 'max-keys', { min: 1, max: 1000, fallback: 100 })
    const all = context.store.buckets.all().filter(({ name }) => name.startsWith(prefix) && name > marker)
    const page = all.slice(0, limit)
    const isTruncated = all.length > page.length
    const paging: XmlElement[] = [
      ['Prefix', prefix],
      ['Marker', marker],
      ['MaxKeys', limit],
      ['IsTruncated', isTruncated],
      ['NextMarker', page.at(-1)?.name ?? ''],
    ]
    return xmlReply([
      'ListAllMyBucketsResult',
      [
        ...(isTruncated || prefix !== '' || marker !== '' ? paging : []),
        ownerElement(context),
        [
          'Buckets',
          page.map(
            (bucket): XmlElement => ['Bucket', [...bucketElements(context, bucket), ['Region', context.region]]],
          ),
        ],
      ],
    ])
  },
}
