import type { ListedPart, ObjectFacts } from './object-store.ts'
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
