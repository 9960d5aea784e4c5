import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { readCallback } from '../callback/read-callback.ts'
import { answerWithCallback } from '../callback/send-callback.ts'
import { objectId } from '../files/object-files.ts'
import {
  aclHeader,
  checkContentMd5,
  checkEncryption,
  contentMd5Hex,
  forbidsOverwrite,
  objectSettings,
  refuseUnsupported,
  requireLength,
} from '../object-headers.ts'
import { entityTooLarge, fileAlreadyExists } from '../oss-error.ts'
import { getObjectTarget, permissionOn, quotedEtag, type Verb } from '../verb.ts'

/** 5 GB. Source: OSS "Limits". */
const MAX_OBJECT_BYTES = 5 * 1024 ** 3

/** `PUT /key`: an object in one piece. */
export const putObject: Verb = {
  name: 'PutObject',
  permissions: (request) => [
    permissionOn(request, 'oss:PutObject'),
    ...(request.headers['x-oss-object-acl'] === undefined ? [] : [permissionOn(request, 'oss:PutObjectAcl')]),
  ],
  async answer(context, request) {
    const { objects, tmpDir } = context.store
    const { bucket, key } = getObjectTarget(context, request)
    refuseUnsupported(request)
    checkEncryption(request)
    requireLength(request)
    if ((request.contentLength ?? 0) > MAX_OBJECT_BYTES) throw entityTooLarge(MAX_OBJECT_BYTES)
    const settings = objectSettings(request)
    const acl = aclHeader(request, 'x-oss-object-acl', 'default')
    const announced = contentMd5Hex(request)
    const callback = readCallback(request)
    const isForbidden = () => forbidsOverwrite(request) && objects.find(bucket, key) !== null
    if (isForbidden()) throw fileAlreadyExists()

    const bytes = await context.body.toFile(tmpDir, MAX_OBJECT_BYTES)
    const contentMd5 = Buffer.from(bytes.md5, 'hex').toString('base64')
    const crc64 = bytes.crc64.toString()
    let isStored = false
    try {
      checkContentMd5(announced, bytes.md5)
      await objects.serial(objectId(bucket, key), async () => {
        if (isForbidden()) throw fileAlreadyExists()
        const dataId = randomBytes(16).toString('hex').toUpperCase()
        const files = [await objects.adopt(bytes, dataId, context.now)]
        await objects.commit({
          bucket,
          key,
          type: 'Normal',
          sizeBytes: bytes.sizeBytes,
          etag: bytes.md5.toUpperCase(),
          crc64,
          contentMd5,
          lastModifiedAt: context.now.getTime(),
          ...settings,
          acl,
          dataId,
          uploadId: null,
          files,
        })
      })
      isStored = true
    } finally {
      if (!isStored) await rm(bytes.path, { force: true })
    }
    const headers = { ETag: quotedEtag(bytes.md5), 'Content-MD5': contentMd5, 'x-oss-hash-crc64ecma': crc64 }
    if (!callback) return { status: 200, headers }
    const facts = {
      bucket,
      object: key,
      etag: bytes.md5.toUpperCase(),
      size: bytes.sizeBytes,
      mimeType: settings.headers['content-type'] ?? '',
      crc64,
      contentMd5,
      operation: 'PutObject',
    }
    return answerWithCallback(context, request, callback, facts, headers)
  },
}
