/**
 * The response headers that web pages must be allowed to read: the checksums, so that what OSS stored is compared at once and not only at
 * the end; the request id, for support; and the clock.
 */
export const EXPOSED_HEADERS = ['ETag', 'x-oss-hash-crc64ecma', 'x-oss-request-id', 'Date'] as const

/** The CORS configuration of the bucket for pages of `origins`, as OSS's PutBucketCors and its console take it. */
export function corsRule(origins: readonly string[]): string {
  const element = (name: string) => (value: string) => `    <${name}>${value}</${name}>`
  return [
    '<CORSConfiguration>',
    '  <CORSRule>',
    ...origins.map(element('AllowedOrigin')),
    ...['PUT'].map(element('AllowedMethod')),
    ...['*'].map(element('AllowedHeader')),
    ...EXPOSED_HEADERS.map(element('ExposeHeader')),
    ...['600'].map(element('MaxAgeSeconds')),
    '  </CORSRule>',
    '</CORSConfiguration>',
  ].join('\n')
}
