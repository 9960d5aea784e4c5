import { randomBytes } from 'node:crypto'
import { objectId } from '../files/object-files.ts'
import {
  aclHeader,
  checkEncryption,
  forbidsOverwrite,
  objectSettings,
  refuseCallback,
  refuseUnsupported,
} from '../object-headers.ts'
import { entityTooLarge, fileAlreadyExists, invalidArgument } from '../oss-error.ts'
import { getObjectTarget, isoInstant, permissionOn, type Verb, xmlReply } from '../verb.ts'
import { openCopySource, sourcePermission } from './copy-source.ts'

/** 1 GB; more is for UploadPartCopy. Source: OSS "CopyObject". */
const MAX_COPY_BYTES = 1024 ** 3

/** `PUT /key` with `x-oss-copy-source`: the same bytes under another name, with the source's headers or new ones. Bytes are
 *  shared on disk, so a copy takes no room. */
export const copyObject: Verb = {
  name: 'CopyObject',
  permissions: (request) => [sourcePermission(request), permissionOn(request, 'oss:PutObject')],
  async answer(context, request) {
    const { objects } = context.store
    const { bucket, key } = getObjectTarget(context, request)
    refuseUnsupported(request)
    refuseCallback(request)
    checkEncryption(request)
    const { manifest: source } = await openCopySource(context, request)
    if (source.sizeBytes > MAX_COPY_BYTES) throw entityTooLarge(MAX_COPY_BYTES)
    const directive = (request.headers['x-oss-metadata-directive'] ?? 'COPY').toUpperCase()
    if (directive !== 'COPY' && directive !== 'REPLACE') {
      throw invalidArgument('Unknown metadata directive.', 'x-oss-metadata-directive', directive.slice(0, 100))
    }
    const { headers, storageClass } = objectSettings(request)
    const acl = aclHeader(request, 'x-oss-object-acl', 'default')
    await objects.serial(objectId(bucket, key), async () => {
      if (forbidsOverwrite(request) && objects.find(bucket, key)) throw fileAlreadyExists()
      const dataId = randomBytes(16).toString('hex').toUpperCase()
      await objects.linkFiles(source, dataId)
      await objects.commit({
        ...source,
        bucket,
        key,
        lastModifiedAt: context.now.getTime(),
        headers: directive === 'REPLACE' ? headers : source.headers,
        storageClass,
        acl,
        dataId,
        uploadId: null,
      })
    })
    return xmlReply(
      [
        'CopyObjectResult',
        [
          ['LastModified', isoInstant(context.now.getTime())],
          ['ETag', `"${source.etag}"`],
        ],
      ],
      { ETag: `"${source.etag}"`, 'x-oss-hash-crc64ecma': source.crc64 },
    )
  },
}
