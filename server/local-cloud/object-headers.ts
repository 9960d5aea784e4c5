import { invalidArgument, notImplemented, OssError } from './oss-error.ts'
import type { OssRequest } from './oss-request.ts'

/* Headers that become part of an object, and those that this cloud must not silently drop. */

const STANDARD_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
]
const MAX_META_BYTES = 8192
const STORAGE_CLASSES = new Set(['Standard', 'IA', 'Archive', 'ColdArchive', 'DeepColdArchive'])
const ACLS = new Set(['private', 'public-read', 'public-read-write'])

/** What an object is to be beside its bytes; fixed by Put, Copy or Initiate. */
export interface ObjectSettings {
  readonly headers: Record<string, string>
  readonly storageClass: string
}

/** Reads Content-Type and its kin and `x-oss-meta-*`. Throws InvalidArgument for metadata OSS would refuse. */
export function objectSettings(request: OssRequest): ObjectSettings {
  const headers: Record<string, string> = { 'content-type': 'application/octet-stream' }
  let metaBytes = 0
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith('x-oss-meta-')) {
      const short = name.slice('x-oss-meta-'.length)
      if (!/^[a-z0-9-]+$/.test(short))
        throw invalidArgument('The name of a user meta is invalid.', name.slice(0, 200), value.slice(0, 200))
      metaBytes += Buffer.byteLength(short) + Buffer.byteLength(value, 'latin1')
      headers[name] = value
    } else if (STANDARD_HEADERS.includes(name) && value !== '') headers[name] = value
  }
  if (metaBytes > MAX_META_BYTES) {
    throw new OssError(400, 'MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size.')
  }
  const storageClass = request.headers['x-oss-storage-class'] ?? 'Standard'
  if (!STORAGE_CLASSES.has(storageClass)) {
    throw invalidArgument('The storage class is invalid.', 'x-oss-storage-class', storageClass.slice(0, 100))
  }
  return { headers, storageClass }
}

/** Throws for encryption methods OSS does not know; those it knows change nothing here. */
export function checkEncryption(request: OssRequest): void {
  const method = request.headers['x-oss-server-side-encryption']
  if (method === undefined || ['AES256', 'KMS', 'SM4'].includes(method)) return
  const message = 'The Encryption Algorithm you specified is not valid.'
  throw new OssError(400, 'InvalidEncryptionAlgorithmError', message)
}

/** Refuses what would otherwise be lost without a word: tags, conditions that OSS does not take on writes. */
export function refuseUnsupported(request: OssRequest): void {
  const { headers } = request
  for (const name of ['x-oss-tagging', 'x-oss-process']) {
    if (headers[name] !== undefined) throw notImplemented(`The header ${name} is not implemented.`, name)
  }
  for (const name of ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since']) {
    if (headers[name] === undefined) continue
    const message = 'A header you provided implies functionality that is not implemented.'
    throw new OssError(400, 'NotImplemented', message, { elements: [['Header', name]] })
  }
}

/** Only Put and Complete take a callback; elsewhere it would be lost without a word. */
export function refuseCallback({ headers, params }: OssRequest): void {
  if (headers['x-oss-callback'] === undefined && !params.has('callback')) return
  throw notImplemented('This operation takes no callback.')
}

export function forbidsOverwrite(request: OssRequest): boolean {
  return request.headers['x-oss-forbid-overwrite']?.toLowerCase() === 'true'
}

/** An ACL from a header, `fallback` when absent. */
export function aclHeader(request: OssRequest, name: string, fallback: string): string {
  const acl = request.headers[name] ?? fallback
  if (acl === fallback || ACLS.has(acl)) return acl
  throw invalidArgument('no such acl', name, acl.slice(0, 100))
}

/** The 16 bytes of a Content-MD5 header as lower-case hex, or null without one. Throws InvalidDigest when it is something else. */
export function contentMd5Hex(request: OssRequest): string | null {
  const text = request.headers['content-md5']
  if (text === undefined) return null
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== 16 || bytes.toString('base64') !== text) {
    throw new OssError(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.', {
      ec: '0017-00000502',
      elements: [['Content-MD5', text.slice(0, 100)]],
    })
  }
  return bytes.toString('hex')
}

/** Throws InvalidDigest unless the body hashed to what Content-MD5 announced. */
export function checkContentMd5(announced: string | null, received: string): void {
  if (announced === null || announced === received) return
  throw new OssError(400, 'InvalidDigest', 'The Content-MD5 you specified did not match what we received.', {
    ec: '0017-00000503',
    elements: [
      ['ClientComputedContentMD5', Buffer.from(announced, 'hex').toString('base64')],
      ['ServerComputedContentMD5', Buffer.from(received, 'hex').toString('base64')],
    ],
  })
}

/** Throws MissingContentLength where the end of the body could not be known. */
export function requireLength(request: OssRequest): void {
  if (request.contentLength !== null || request.chunked) return
  throw new OssError(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.')
}
