import { rm } from 'node:fs/promises'
import type { Ingested } from '../files/ingest.ts'
import type { PartFile } from '../files/part-file.ts'
import type { OpenUpload } from '../files/upload-files.ts'
import { checkContentMd5, contentMd5Hex, requireLength } from '../object-headers.ts'
import { entityTooLarge, invalidArgument, noSuchUpload, OssError } from '../oss-error.ts'
import type { OssRequest } from '../oss-request.ts'
import { getObjectTarget, permissionOn, quotedEtag, type Verb, type VerbContext } from '../verb.ts'

/** 5 GB. Source: OSS "Limits". */
export const MAX_PART_BYTES = 5 * 1024 ** 3
const EC_NO_SUCH_UPLOAD = '0042-00000104'

/** `PUT /key?partNumber=N&uploadId=U`: stores one part, over an older one of that number. How small a part may be is asked only
 *  at Complete. */
export const uploadPart: Verb = {
  name: 'UploadPart',
  permissions: (request) => [permissionOn(request, 'oss:PutObject')],
  async answer(context, request) {
    const { bucket, key } = getObjectTarget(context, request)
    const partNumber = readPartNumber(request)
    if (request.headers['x-oss-server-side-encryption'] !== undefined) {
      const message = 'x-oss-server-side-encryption is not allowed on a part.'
      throw invalidArgument(message, 'x-oss-server-side-encryption', request.headers['x-oss-server-side-encryption'])
    }
    const uploadId = request.params.get('uploadId') ?? ''
    const upload = context.store.uploads.find(bucket, key, uploadId)
    if (!upload) throw noSuchUpload(uploadId, EC_NO_SUCH_UPLOAD)
    requireLength(request)
    if ((request.contentLength ?? 0) > MAX_PART_BYTES) throw entityTooLarge(MAX_PART_BYTES)
    const announced = contentMd5Hex(request)

    const part = await receivePart(context, upload, partNumber, EC_NO_SUCH_UPLOAD, async () => {
      const bytes = await context.body.toFile(context.store.tmpDir, MAX_PART_BYTES)
      return { bytes, check: () => checkContentMd5(announced, bytes.md5) }
    })
    return {
      status: 200,
      headers: {
        ETag: quotedEtag(part.md5),
        'Content-MD5': Buffer.from(part.md5, 'hex').toString('base64'),
        'x-oss-hash-crc64ecma': part.crc64.toString(),
      },
    }
  },
}

/** Receives bytes and makes them a part. The upload is looked at again when they have arrived: a Complete in the meantime has
 *  won, after an abort they land all the same. */
export async function receivePart(
  context: VerbContext,
  upload: OpenUpload,
  partNumber: number,
  ec: string,
  receive: () => Promise<{ bytes: Ingested; check: () => void }>,
) {
  const { uploads } = context.store
  upload.inFlight++
  try {
    const { bytes, check } = await receive()
    let part: PartFile | null = null
    try {
      check()
      part = await uploads.serial(upload.uploadId, async () => {
        await refuseOutOfSequence(context, upload, partNumber, bytes)
        return uploads.storePart(upload, partNumber, bytes, context.now)
      })
    } finally {
      if (part === null) await rm(bytes.path, { force: true })
    }
    if (part === null) throw noSuchUpload(upload.uploadId, ec)
    return part
  } finally {
    upload.inFlight--
  }
}

/** An upload begun with `sequential` takes each part once. */
async function refuseOutOfSequence(
  context: VerbContext,
  upload: OpenUpload,
  partNumber: number,
  bytes: Ingested,
): Promise<void> {
  const { uploads } = context.store
  if (upload.state !== 'open' || !upload.sequential) return
  const there = (await uploads.readParts(upload)).get(partNumber)
  if (!there || there.md5 === bytes.md5) return
  throw new OssError(409, 'PartAlreadyExist', 'For sequential multipart upload, the part already exists.', {
    elements: [
      ['PartNumber', partNumber],
      ['PartEtag', quotedEtag(there.md5)],
    ],
  })
}

/** 1 to 10000. */
export function readPartNumber(request: OssRequest): number {
  const text = request.params.get('partNumber') ?? ''
  if (text === '') {
    throw invalidArgument('Unexpected query string parameter', 'ResourceType', 'partNumber', '0017-00000219')
  }
  const partNumber = Number(text)
  if (/^\d{1,9}$/.test(text) && partNumber >= 1 && partNumber <= 10_000) return partNumber
  const message = 'Part number must be an integer between 1 and 10000, inclusive.'
  throw invalidArgument(message, 'PartNumber', text.slice(0, 100), '0017-00000220')
}
