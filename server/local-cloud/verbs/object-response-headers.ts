import type { ObjectManifest } from '../files/object-files.ts'

const OVERRIDES = [
  'content-type',
  'content-language',
  'expires',
  'cache-control',
  'content-disposition',
  'content-encoding',
] as const

/** What Get and Head say about an object. `response-*` parameters override the stored headers; the signature covers them. */
export function objectResponseHeaders(
  manifest: ObjectManifest,
  params: ReadonlyMap<string, string>,
): Record<string, string> {
  const headers: Record<string, string> = { ...manifest.headers }
  for (const name of OVERRIDES) {
    const value = params.get(`response-${name}`)
    if (value) headers[name] = headerText(value)
  }
  return {
    ...headers,
    ETag: `"${manifest.etag}"`,
    'Last-Modified': new Date(manifest.lastModifiedAt).toUTCString(),
    'Accept-Ranges': 'bytes',
    'x-oss-object-type': manifest.type,
    'x-oss-storage-class': manifest.storageClass,
    'x-oss-hash-crc64ecma': manifest.crc64,
    ...(manifest.contentMd5 === null ? {} : { 'Content-MD5': manifest.contentMd5 }),
  }
}

/** Header values travel as bytes: UTF-8 read as latin1 here comes out as UTF-8 there. Control characters cannot travel. */
function headerText(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these have no place in a header
  return Buffer.from(value.replace(/[\u0000-\u0008\u000a-\u001f\u007f]/g, '')).toString('latin1')
}
