import { getBucket, permissionOn, type Verb, xmlReply } from '../verb.ts'
import { bucketElements } from './bucket-element.ts'
import { ownerElement } from './owner-element.ts'

/** `GET /?bucketInfo` */
export const getBucketInfo: Verb = {
  name: 'GetBucketInfo',
  permissions: (request) => [permissionOn(request, 'oss:GetBucketInfo')],
  async answer(context, request) {
    const bucket = getBucket(context, request)
    return xmlReply([
      'BucketInfo',
      [
        [
          'Bucket',
          [
            ...bucketElements(context, bucket),
            ownerElement(context),
            ['AccessControlList', [['Grant', bucket.acl]]],
            ['DataRedundancyType', 'LRS'],
          ],
        ],
      ],
    ])
  },
}
