import { aclHeader } from '../object-headers.ts'
import { invalidArgument } from '../oss-error.ts'
import { getBucket, permissionOn, type Verb, xmlReply } from '../verb.ts'
import { ownerElement } from './owner-element.ts'

/** `PUT /?acl`: kept and given back. Whatever it says, unsigned requests stay refused. */
export const putBucketAcl: Verb = {
  name: 'PutBucketAcl',
  permissions: (request) => [permissionOn(request, 'oss:PutBucketAcl')],
  async answer(context, request) {
    const { name } = getBucket(context, request)
    if (request.headers['x-oss-acl'] === undefined) throw invalidArgument('no such acl', 'x-oss-acl', '')
    await context.store.buckets.change(name, { acl: aclHeader(request, 'x-oss-acl', 'private') })
    return { status: 200 }
  },
}

/** `GET /?acl` */
export const getBucketAcl: Verb = {
  name: 'GetBucketAcl',
  permissions: (request) => [permissionOn(request, 'oss:GetBucketAcl')],
  async answer(context, request) {
    const { acl } = getBucket(context, request)
    return xmlReply(['AccessControlPolicy', [ownerElement(context), ['AccessControlList', [['Grant', acl]]]]])
  },
}
