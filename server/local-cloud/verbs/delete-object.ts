import { objectId } from '../files/object-files.ts'
import { getObjectTarget, permissionOn, type Verb } from '../verb.ts'

/** `DELETE /key`: 204 whether or not there was one. Open uploads of that key are not touched. */
export const deleteObject: Verb = {
  name: 'DeleteObject',
  permissions: (request) => [permissionOn(request, 'oss:DeleteObject')],
  async answer(context, request) {
    const { objects } = context.store
    const { bucket, key } = getObjectTarget(context, request)
    await objects.serial(objectId(bucket, key), () => objects.remove(bucket, key))
    return { status: 204 }
  },
}
