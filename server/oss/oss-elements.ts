import type { ListedPart, ListedUpload, ObjectFacts, UploadPosition } from './object-store.ts'
import { headerText, type OssReply, textOf } from './oss-reply.ts'

/* OSS's elements and headers as values of the ObjectStore. */

/** The child elements of a name, in order. */
export function elements(xml: Record<string, unknown>, name: string): Record<string, unknown>[] {
  const value = xml[name]
  return Array.isArray(value) ? value : []
}

export function toListedPart(part: Record<string, unknown>): ListedPart {
  return {
    partNumber: Number(textOf(part, 'PartNumber')),
    sizeBytes: Number(textOf(part, 'Size')),
    etag: bareETag(textOf(part, 'ETag')),
    crc64: textOf(part, 'HashCrc64ecma') ?? null,
    lastModified: textOf(part, 'LastModified') ?? '',
  }
}

/** A page of ListMultipartUploads with `encoding-type=url`; null for what is none: an answer without its own root's elements, or with
 *  others than it must have, is not an empty list. */
export function toUploadsPage(
  xml: Record<string, unknown>,
): { uploads: ListedUpload[]; next: UploadPosition | null } | null {
  const isTruncated = textOf(xml, 'IsTruncated')
  const uploads = elements(xml, 'Upload').map(toListedUpload)
  const next = isTruncated === 'true' ? positionOf(xml, 'NextKeyMarker', 'NextUploadIdMarker') : null
  const isWhole = isTruncated !== undefined && uploads.every((upload) => upload !== null)
  return isWhole && (isTruncated !== 'true' || next) ? { uploads, next } : null
}

function toListedUpload(upload: Record<string, unknown>): ListedUpload | null {
  const position = positionOf(upload, 'Key', 'UploadId')
  const initiatedAt = new Date(textOf(upload, 'Initiated') ?? '')
  return position && !Number.isNaN(initiatedAt.getTime()) ? { ...position, initiatedAt } : null
}

function positionOf(xml: Record<string, unknown>, keyName: string, idName: string) {
  const key = decoded(textOf(xml, keyName))
  const ossUploadId = textOf(xml, idName)
  return key && ossUploadId ? { key, ossUploadId } : null
}

function decoded(text = ''): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

export function toObjectFacts(headers: OssReply['headers']): ObjectFacts {
  return {
    sizeBytes: Number(headerText(headers, 'content-length') ?? 0),
    etag: bareETag(headerText(headers, 'etag')),
    crc64: headerText(headers, 'x-oss-hash-crc64ecma') ?? null,
    uploadTag: headerText(headers, 'x-oss-meta-partway-upload') ?? null,
  }
}

/** Without quotes or their entities, in upper case. */
export function bareETag(etag = ''): string {
  return etag.replace(/&quot;|&#34;|"/g, '').toUpperCase()
}
