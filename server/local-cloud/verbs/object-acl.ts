import { objectId } from '../files/object-files.ts'
import { aclHeader } from '../object-headers.ts'
import { invalidArgument, noSuchKey } from '../oss-error.ts'
import { getObjectTarget, permissionOn, type Verb, xmlReply } from '../verb.ts'
import { ownerElement } from './owner-element.ts'

/** `PUT /key?acl`: kept and given back. Whatever it says, unsigned requests stay refused. */
export const putObjectAcl: Verb = {
  name: 'PutObjectAcl',
  permissions: (request) => [permissionOn(request, 'oss:PutObjectAcl')],
  async answer(context, request) {
    const { objects } = context.store
    const { bucket, key } = getObjectTarget(context, request)
    if (request.headers['x-oss-object-acl'] === undefined) throw invalidArgument('no such acl', 'x-oss-object-acl', '')
    const acl = aclHeader(request, 'x-oss-object-acl', 'default')
    await objects.serial(objectId(bucket, key), async () => {
      const object = await objects.open(bucket, key)
      if (!object) throw noSuchKey(key)
      context.atEnd(object.release)
      await objects.commit({ ...object.manifest, acl })
    })
    return { status: 200 }
  },
}

/** `GET /key?acl` */
export const getObjectAcl: Verb = {
  name: 'GetObjectAcl',
  permissions: (request) => [permissionOn(request, 'oss:GetObjectAcl')],
  async answer(context, request) {
    const { bucket, key } = getObjectTarget(context, request)
    const object = await context.store.objects.open(bucket, key)
    if (!object) throw noSuchKey(key)
    context.atEnd(object.release)
    const { acl } = object.manifest
    return xmlReply(['AccessControlPolicy', [ownerElement(context), ['AccessControlList', [['Grant', acl]]]]])
  },
}
