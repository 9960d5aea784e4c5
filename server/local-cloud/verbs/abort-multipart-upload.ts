import { noSuchUpload } from '../oss-error.ts'
import { getObjectTarget, permissionOn, type Verb } from '../verb.ts'

/** `DELETE /key?uploadId=U`: forgets the upload and its parts. A part in flight is not stopped; when it lands, the upload is back
 *  and has to be aborted again. */
export const abortMultipartUpload: Verb = {
  name: 'AbortMultipartUpload',
  permissions: (request) => [permissionOn(request, 'oss:AbortMultipartUpload')],
  async answer(context, request) {
    const { uploads } = context.store
    const { bucket, key } = getObjectTarget(context, request)
    const uploadId = request.params.get('uploadId') ?? ''
    await uploads.serial(uploadId, async () => {
      const upload = uploads.find(bucket, key, uploadId)
      if (!upload) throw noSuchUpload(uploadId, '0042-00000002')
      await uploads.abort(upload)
    })
    return { status: 204 }
  },
}
