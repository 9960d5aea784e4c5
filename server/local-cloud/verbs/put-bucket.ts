import { aclHeader } from '../object-headers.ts'
import { permissionOn, type Verb } from '../verb.ts'
import { parseXml } from '../xml.ts'

/** `PUT /`: makes a bucket; making one's own again is no error and changes nothing but its ACL. */
export const putBucket: Verb = {
  name: 'PutBucket',
  permissions: (request) => [permissionOn(request, 'oss:PutBucket')],
  async answer(context, request) {
    const { buckets } = context.store
    const name = request.bucket ?? ''
    const acl = aclHeader(request, 'x-oss-acl', buckets.find(name)?.acl ?? 'private')
    const text = await context.body.text(64 * 1024)
    if (text.trim() !== '') parseXml(text, 'CreateBucketConfiguration')
    await buckets.create({ name, createdAt: context.now.getTime(), acl, cors: null, lifecycle: null })
    await buckets.change(name, { acl })
    return { status: 200, headers: { Location: `/${name}` } }
  },
}
