import { createHash } from 'node:crypto'
import { foldCrc64 } from '@partway/client/contract'
import { readCallback } from '../callback/read-callback.ts'
import { answerWithCallback } from '../callback/send-callback.ts'
import { objectId } from '../files/object-files.ts'
import { type PartFile, partFileName } from '../files/part-file.ts'
import type { OpenUpload, Parts } from '../files/upload-files.ts'
import { aclHeader, checkContentMd5, contentMd5Hex, forbidsOverwrite, refuseUnsupported } from '../object-headers.ts'
import { fileAlreadyExists, invalidArgument, noSuchUpload, OssError } from '../oss-error.ts'
import type { OssRequest } from '../oss-request.ts'
import { getObjectTarget, permissionOn, quotedEtag, type Verb, type VerbContext, xmlReply } from '../verb.ts'
import { childrenNamed, childText, malformedXml, parseXml } from '../xml.ts'
import { encodingOf } from './encoding-type.ts'

const MAX_BODY_BYTES = 4 * 1024 * 1024
/** Every part but the last. Source: OSS "Limits". */
const MIN_PART_BYTES = 102_400

/** `POST /key?uploadId=U`: joins the listed parts into the object. Renaming the object's manifest into place is the one moment at
 *  which it happens; the upload is gone from then on, and a second Complete is told so. */
export const completeMultipartUpload: Verb = {
  name: 'CompleteMultipartUpload',
  permissions: (request) => [
    permissionOn(request, 'oss:PutObject'),
    ...(request.headers['x-oss-object-acl'] === undefined ? [] : [permissionOn(request, 'oss:PutObjectAcl')]),
  ],
  async answer(context, request) {
    const { uploads } = context.store
    const { bucket, key } = getObjectTarget(context, request)
    const encoding = encodingOf(request)
    refuseUnsupported(request)
    const uploadId = request.params.get('uploadId') ?? ''
    if (!uploads.find(bucket, key, uploadId)) throw noSuchUpload(uploadId, EC_NO_SUCH_UPLOAD)
    const callback = readCallback(request)
    const listed = await readList(context, request)

    const done = await uploads.serial(uploadId, async () => {
      const upload = uploads.find(bucket, key, uploadId)
      if (!upload) throw noSuchUpload(uploadId, EC_NO_SUCH_UPLOAD)
      const stored = await uploads.readParts(upload)
      return commit(context, request, upload, chooseParts(uploadId, listed, stored))
    })
    const headers = { ETag: `"${done.etag}"`, 'x-oss-hash-crc64ecma': done.crc64 }
    if (callback) {
      const facts = { ...done, bucket, object: key, contentMd5: '', operation: 'CompleteMultipartUpload' }
      return answerWithCallback(context, request, callback, facts, headers)
    }
    return xmlReply(
      [
        'CompleteMultipartUploadResult',
        [
          ...encoding.element,
          ['Location', `http://${bucket}.oss-${context.region}.aliyuncs.com/${encoding.apply(key)}`],
          ['Bucket', bucket],
          ['Key', encoding.apply(key)],
          ['ETag', `"${done.etag}"`],
        ],
      ],
      headers,
      `http://doc.oss-${context.region}.aliyuncs.com`,
    )
  },
}

const EC_NO_SUCH_UPLOAD = '0042-00000203'

interface ListedPart {
  readonly partNumber: number
  /** Without quotes, lower case; as sent where it is no hash at all. */
  readonly etag: string
}

/** The parts the caller names, or 'all' for `x-oss-complete-all: yes`. */
async function readList(context: VerbContext, request: OssRequest): Promise<ListedPart[] | 'all'> {
  const announced = contentMd5Hex(request)
  const bytes = await context.body.bytes(MAX_BODY_BYTES)
  checkContentMd5(announced, createHash('md5').update(bytes).digest('hex'))
  if (request.headers['x-oss-complete-all']?.toLowerCase() === 'yes') {
    if (bytes.length === 0) return 'all'
    const message = 'Should not speficy both complete all header and http body.'
    throw invalidArgument(message, 'x-oss-complete-all', 'yes', '0042-00000216')
  }
  const root = parseXml(bytes.toString('utf8'), 'CompleteMultipartUpload')
  const parts = childrenNamed(root, 'Part').map((part) => {
    const number = childText(part, 'PartNumber') ?? ''
    const etag = childText(part, 'ETag')
    if (!/^\d{1,9}$/.test(number) || etag === undefined) throw malformedXml()
    return { partNumber: Number(number), etag: etag.replace(/^"(.*)"$/, '$1').toLowerCase() }
  })
  if (parts.length === 0) throw malformedXml()
  return parts
}

function chooseParts(uploadId: string, listed: ListedPart[] | 'all', stored: Parts): PartFile[] {
  const chosen =
    listed === 'all'
      ? [...stored.values()].sort((a, b) => a.partNumber - b.partNumber)
      : matchListed(uploadId, listed, stored)
  if (chosen.length === 0) throw malformedXml()
  const tooSmall = chosen.slice(0, -1).find((part) => part.sizeBytes < MIN_PART_BYTES)
  if (!tooSmall) return chosen
  throw new OssError(400, 'EntityTooSmall', 'Your proposed upload smaller than the minimum allowed size.', {
    ec: '0042-00000213',
    elements: [
      ['ProposedSize', tooSmall.sizeBytes],
      ['MinSizeAllowed', MIN_PART_BYTES],
      ['PartNumber', tooSmall.partNumber],
      ['ETag', quotedEtag(tooSmall.md5)],
    ],
  })
}

function matchListed(uploadId: string, listed: ListedPart[], stored: Parts): PartFile[] {
  let previous = 0
  for (const { partNumber } of listed) {
    if (partNumber <= previous) throw invalidPartOrder()
    previous = partNumber
  }
  return listed.map(({ partNumber, etag }) => {
    const part = stored.get(partNumber)
    if (part && part.md5 === etag) return part
    throw invalidPart(uploadId, partNumber, etag)
  })
}

/** Writes the manifest. Holding the object's turn until the upload is forgotten matters: another write to the object in between
 *  would leave, after a kill, an open upload whose bytes were used already. */
async function commit(context: VerbContext, request: OssRequest, upload: OpenUpload, parts: PartFile[]) {
  const { uploads, objects } = context.store
  const { bucket, key, uploadId } = upload
  const record = await uploads.readRecord(upload)
  const files = parts.map(partFileName)
  const digest = createHash('md5')
  for (const part of parts) digest.update(part.md5, 'hex')
  const etag = `${digest.digest('hex').toUpperCase()}-${parts.length}`
  const crc64 = foldCrc64(parts).toString()
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0)
  await objects.serial(objectId(bucket, key), async () => {
    if (forbidsOverwrite(request) && objects.find(bucket, key)) throw fileAlreadyExists()
    await objects.commit({
      bucket,
      key,
      type: 'Multipart',
      sizeBytes,
      etag,
      crc64,
      contentMd5: null,
      lastModifiedAt: context.now.getTime(),
      headers: record.headers,
      storageClass: record.storageClass,
      acl: aclHeader(request, 'x-oss-object-acl', 'default'),
      dataId: uploadId,
      uploadId,
      files,
    })
    await uploads.close(upload, new Set(files))
  })
  return { etag, crc64, size: sizeBytes, mimeType: record.headers['content-type'] ?? '' }
}

function invalidPart(uploadId: string, partNumber: number, etag: string): OssError {
  const message =
    "One or more of the specified parts could not be found or the specified entity tag might not have matched the part's entity tag."
  return new OssError(400, 'InvalidPart', message, {
    elements: [
      ['UploadId', uploadId],
      ['PartNumber', partNumber],
      ['ETag', etag.slice(0, 200)],
    ],
  })
}

function invalidPartOrder(): OssError {
  const message = 'The list of parts was not in ascending order. Parts list must specified in order by part number.'
  return new OssError(400, 'InvalidPartOrder', message, { ec: '0042-00000209' })
}
