import { randomBytes } from 'node:crypto'
import {
  checkEncryption,
  forbidsOverwrite,
  objectSettings,
  refuseCallback,
  refuseUnsupported,
} from '../object-headers.ts'
import { fileAlreadyExists } from '../oss-error.ts'
import { getObjectTarget, permissionOn, type Verb, xmlReply } from '../verb.ts'
import { encodingOf } from './encoding-type.ts'

/** `POST /key?uploads`: every call makes a new upload; the object of that name is untouched until Complete. */
export const initiateMultipartUpload: Verb = {
  name: 'InitiateMultipartUpload',
  permissions: (request) => [permissionOn(request, 'oss:PutObject')],
  async answer(context, request) {
    const { store, now, region } = context
    const { bucket, key } = getObjectTarget(context, request)
    const encoding = encodingOf(request)
    refuseUnsupported(request)
    refuseCallback(request)
    checkEncryption(request)
    const settings = objectSettings(request)
    if (forbidsOverwrite(request) && store.objects.find(bucket, key)) throw fileAlreadyExists()
    const uploadId = randomBytes(16).toString('hex').toUpperCase()
    const sequential = request.params.has('sequential')
    await store.uploads.create({ bucket, key, uploadId, initiatedAt: now.getTime(), sequential, ...settings })
    return xmlReply(
      [
        'InitiateMultipartUploadResult',
        [...encoding.element, ['Bucket', bucket], ['Key', encoding.apply(key)], ['UploadId', uploadId]],
      ],
      {},
      `http://doc.oss-${region}.aliyuncs.com`,
    )
  },
}
