import { OssError } from '../oss-error.ts'
import { getBucket, permissionOn, type Verb } from '../verb.ts'

/** `DELETE /`: only an empty bucket goes, and open uploads count. */
export const deleteBucket: Verb = {
  name: 'DeleteBucket',
  permissions: (request) => [permissionOn(request, 'oss:DeleteBucket')],
  async answer(context, request) {
    const { store } = context
    const { name } = getBucket(context, request)
    if (store.objects.inBucket(name).size > 0 || store.uploads.inBucket(name).size > 0) {
      throw new OssError(409, 'BucketNotEmpty', 'The bucket you tried to delete is not empty.', {
        elements: [['BucketName', name]],
      })
    }
    await store.buckets.remove(name)
    return { status: 204 }
  },
}
