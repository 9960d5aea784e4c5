import { getBucket, permissionOn, type Verb, xmlReply } from '../verb.ts'

/** `GET /?location` */
export const getBucketLocation: Verb = {
  name: 'GetBucketLocation',
  permissions: (request) => [permissionOn(request, 'oss:GetBucketLocation')],
  async answer(context, request) {
    getBucket(context, request)
    return xmlReply(['LocationConstraint', `oss-${context.region}`])
  },
}
