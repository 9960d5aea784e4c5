import type { ObjectManifest } from '../files/object-files.ts'
import { type OssError, preconditionFailed } from '../oss-error.ts'

/** The conditional headers of a read; `prefix` is `x-oss-copy-source-` for the source of a copy. Returns the refusal, or
 *  'not-modified', or null when the read may go on. HTTP dates have whole seconds. */
export function conditionFailure(
  headers: Readonly<Record<string, string>>,
  manifest: ObjectManifest,
  prefix = '',
): OssError | 'not-modified' | null {
  const modifiedAt = Math.floor(manifest.lastModifiedAt / 1000) * 1000
  const etags = (name: string) =>
    headers[prefix + name]?.split(',').map((etag) =>
      etag
        .trim()
        .replace(/^"(.*)"$/, '$1')
        .toUpperCase(),
    )
  const dateOf = (name: string) => Date.parse(headers[prefix + name] ?? '')
  const isListed = (list: string[]) => list.includes('*') || list.includes(manifest.etag.toUpperCase())

  const match = etags('if-match')
  if (match && !isListed(match)) return preconditionFailed('If-Match')
  if (dateOf('if-unmodified-since') < modifiedAt) return preconditionFailed('If-Unmodified-Since')
  const noneMatch = etags('if-none-match')
  if (noneMatch && isListed(noneMatch)) return prefix === '' ? 'not-modified' : preconditionFailed('If-None-Match')
  if (dateOf('if-modified-since') >= modifiedAt)
    return prefix === '' ? 'not-modified' : preconditionFailed('If-Modified-Since')
  return null
}
