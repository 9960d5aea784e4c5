import type { ObjectEntry } from '../files/object-files.ts'
import { compareUtf8 } from '../files/sorted-list.ts'
import { invalidArgument } from '../oss-error.ts'
import { integerParam, type OssRequest } from '../oss-request.ts'
import { getBucket, isoInstant, permissionOn, type Verb, type VerbContext, xmlReply } from '../verb.ts'
import type { XmlElement } from '../xml.ts'
import { encodingOf } from './encoding-type.ts'
import { ownerElement } from './owner-element.ts'
import { type KeyPage, pageOfKeys } from './page-of-keys.ts'

/** `GET /`: objects by key, the first version of the operation, with a marker. */
export const listObjects: Verb = {
  name: 'ListObjects',
  permissions: (request) => [permissionOn(request, 'oss:ListObjects')],
  async answer(context, request) {
    const listing = readListing(context, request, request.params.get('marker') ?? '')
    const { encode, page, nextKey } = listing
    return xmlReply([
      'ListBucketResult',
      [
        ...listing.head,
        ['Marker', encode(listing.marker)],
        ...(page.isTruncated ? ([['NextMarker', encode(nextKey)]] satisfies XmlElement[]) : []),
        ...lineElements(page, encode, [ownerElement(context)]),
      ],
    ])
  },
}

/** `GET /?list-type=2`: the second version, with a continuation token. */
export const listObjectsV2: Verb = {
  name: 'ListObjectsV2',
  permissions: (request) => [permissionOn(request, 'oss:ListObjects')],
  async answer(context, request) {
    const token = request.params.get('continuation-token') ?? ''
    const startAfter = request.params.get('start-after') ?? ''
    const listing = readListing(context, request, token === '' ? startAfter : decodeToken(token))
    const { encode, page, nextKey } = listing
    const owner = request.params.get('fetch-owner') === 'true' ? [ownerElement(context)] : []
    const optional: XmlElement[] = []
    if (token !== '') optional.push(['ContinuationToken', token])
    if (startAfter !== '') optional.push(['StartAfter', encode(startAfter)])
    if (page.isTruncated) optional.push(['NextContinuationToken', Buffer.from(nextKey).toString('base64')])
    return xmlReply([
      'ListBucketResult',
      [...listing.head, ...optional, ['KeyCount', page.lines.length], ...lineElements(page, encode, owner)],
    ])
  },
}

function readListing(context: VerbContext, request: OssRequest, marker: string) {
  const { name } = getBucket(context, request)
  const encoding = encodingOf(request)
  const encode = encoding.apply
  const prefix = request.params.get('prefix') ?? ''
  const delimiter = request.params.get('delimiter') ?? ''
  const limit = integerParam(request, 'max-keys', { min: 1, max: 1000, fallback: 100 })
  const isBeyond = (entry: ObjectEntry) => compareUtf8(entry.key, marker) > 0
  const page = pageOfKeys(context.store.objects.inBucket(name), { prefix, delimiter, marker, limit, isBeyond })
  const last = page.lines.at(-1)
  const nextKey = last === undefined ? '' : 'item' in last ? last.item.key : last.commonPrefix
  const head: XmlElement[] = [
    ...encoding.element,
    ['Name', name],
    ['Prefix', encode(prefix)],
    ['MaxKeys', limit],
    ['Delimiter', encode(delimiter)],
    ['IsTruncated', page.isTruncated],
  ]
  return { head, page, encode, marker, nextKey }
}

function lineElements(page: KeyPage<ObjectEntry>, encode: (key: string) => string, owner: XmlElement[]): XmlElement[] {
  return page.lines.map((line): XmlElement => {
    if (!('item' in line)) return ['CommonPrefixes', [['Prefix', encode(line.commonPrefix)]]]
    const { key, lastModifiedAt, etag, type, sizeBytes, storageClass } = line.item
    return [
      'Contents',
      [
        ['Key', encode(key)],
        ['LastModified', isoInstant(lastModifiedAt)],
        ['ETag', `"${etag}"`],
        ['Type', type],
        ['Size', sizeBytes],
        ['StorageClass', storageClass],
        ...owner,
      ],
    ]
  })
}

function decodeToken(token: string): string {
  const bytes = Buffer.from(token, 'base64')
  if (bytes.toString('base64') === token) return bytes.toString('utf8')
  throw invalidArgument('The continuation token is invalid.', 'continuation-token', token.slice(0, 200))
}
