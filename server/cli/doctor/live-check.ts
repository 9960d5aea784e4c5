import { hash } from 'node:crypto'
import type { Config } from '../../config.ts'
import type { ObjectStore, PresignedPart } from '../../oss/object-store.ts'
import { type ExpectedReply, interpretReply } from '../../oss/oss-reply.ts'
import { type Check, check, type Finding, failed, ok, skipped } from './finding.ts'
import { put } from './public-endpoint-check.ts'
import { doctorKey } from './rights-check.ts'

const content = 'partway doctor'
const attributes = { contentType: 'application/octet-stream', contentDisposition: 'attachment', metadata: {} }

/**
 * What no look from outside can tell: starts an upload, sends a part as it should be and as it should not, and gives the upload up. What OSS
 * refuses shows what its URLs bind.
 */
export async function checkLive(config: Config, objects: ObjectStore): Promise<Check[]> {
  const key = doctorKey(config)
  let ossUploadId = ''
  const started = await check(config, 'live: start', async () => {
    ossUploadId = await objects.initiateUpload(key, attributes)
    return ok(`an upload was started at ${key}`)
  })
  if (started.status !== 'ok') return [started]
  try {
    const { presign } = await objects.presignParts(key, ossUploadId, 60)
    const sizeBytes = content.length
    const part = (expected: string) => presign({ partNumber: 1, sizeBytes, md5: hash('md5', expected, 'base64') })
    return [
      started,
      await check(config, 'live: part', () => sendRight(part(content))),
      await check(config, 'live: wrong length', () => sendWrongLength(config, presign({ partNumber: 2, sizeBytes }))),
      await check(config, 'live: wrong MD5', () => sendWrongBytes(part(content))),
      await check(config, 'live: stored', async () => {
        const listed = await objects.listParts(key, ossUploadId, { after: 0, limit: 10 })
        const sizes = listed?.parts.map((one) => `${one.partNumber}: ${one.sizeBytes} bytes`) ?? []
        return sizes[0] === `1: ${sizeBytes} bytes`
          ? ok(`OSS lists part ${sizes.join(', ')}`)
          : failed(`OSS lists ${sizes}`)
      }),
      await check(config, 'live: abort', async () => {
        const outcome = await objects.abortUpload(key, ossUploadId)
        return outcome === 'aborted' ? ok('the upload was given up') : failed('the upload was gone already')
      }),
    ]
  } finally {
    // Also when a check above could not be made. Aborting what is gone does nothing.
    await objects.abortUpload(key, ossUploadId).catch(() => {})
  }
}

async function sendRight({ url, headers }: PresignedPart): Promise<Finding> {
  const reply = await put(url, headers, content)
  interpretReply({ operation: 'UploadPart', method: 'PUT' }, reply.status, reply.headers, reply.text)
  return ok('a part with the right length and MD5 was taken')
}

/** Not an error of ours where lengths are not bound: then anybody with the URL may send more. */
async function sendWrongLength({ uploads }: Config, { url, headers }: PresignedPart): Promise<Finding> {
  const { status } = await put(url, headers, `${content}, and more`)
  if (status === 403) return ok('a part of another length was refused')
  if (!uploads.signContentLength) return skipped('a part of another length was taken: SIGN_CONTENT_LENGTH is false')
  if (status === 200) return failed('a part of another length was taken: part URLs do not bind it here')
  return failed(`a part of another length was answered with ${status}`)
}

async function sendWrongBytes({ url, headers }: PresignedPart): Promise<Finding> {
  const reply = await put(url, headers, content.toUpperCase())
  const call: ExpectedReply = { operation: 'UploadPart', method: 'PUT', expect: ['InvalidDigest', 'BadDigest'] }
  const { errorCode } = interpretReply(call, reply.status, reply.headers, reply.text)
  return errorCode
    ? ok('a part with other bytes than its MD5 says was refused')
    : failed('a part with other bytes than its MD5 says was taken')
}
