import type { XmlElement } from './xml.ts'

/** An answer that refuses: status, code, message, and where the service has them, its fine-grained code (`EC`), the extra
 *  elements that belong to the code, and headers. Anything else thrown while answering becomes InternalError. */
export class OssError extends Error {
  readonly status: number
  readonly code: string
  readonly ec: string | undefined
  readonly elements: readonly XmlElement[]
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, details: OssErrorDetails = {}) {
    super(message)
    this.name = 'OssError'
    this.status = status
    this.code = code
    this.ec = details.ec
    this.elements = details.elements ?? []
    this.headers = details.headers ?? {}
  }
}

export interface OssErrorDetails {
  ec?: string
  elements?: readonly XmlElement[]
  headers?: Readonly<Record<string, string>>
}

export function invalidArgument(message: string, name: string, value: string, ec?: string): OssError {
  const elements: XmlElement[] = [
    ['ArgumentName', name],
    ['ArgumentValue', value],
  ]
  return new OssError(400, 'InvalidArgument', message, ec === undefined ? { elements } : { elements, ec })
}

export function noSuchBucket(bucket: string): OssError {
  return new OssError(404, 'NoSuchBucket', 'The specified bucket does not exist.', {
    ec: '0015-00000101',
    elements: [['BucketName', bucket]],
  })
}

export function noSuchKey(key: string): OssError {
  return new OssError(404, 'NoSuchKey', 'The specified key does not exist.', {
    ec: '0026-00000001',
    elements: [['Key', key]],
  })
}

/** The EC tells which operation missed the upload: UploadPart 0042-00000104, UploadPartCopy -311, Complete -203, ListParts and
 *  Abort -002. */
export function noSuchUpload(uploadId: string, ec: string): OssError {
  const message =
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.'
  return new OssError(404, 'NoSuchUpload', message, { ec, elements: [['UploadId', uploadId]] })
}

export function fileAlreadyExists(): OssError {
  const message = 'The object you specified already exists and can not be overwritten.'
  return new OssError(409, 'FileAlreadyExists', message)
}

export function notImplemented(message: string, header?: string): OssError {
  const elements: XmlElement[] = header === undefined ? [] : [['Header', header]]
  return new OssError(501, 'NotImplemented', message, { elements })
}

export function preconditionFailed(condition: string): OssError {
  return new OssError(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold.', {
    elements: [['Condition', condition]],
  })
}

export function entityTooLarge(limitBytes: number): OssError {
  return new OssError(400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size.', {
    elements: [['MaxSizeAllowed', limitBytes]],
  })
}
