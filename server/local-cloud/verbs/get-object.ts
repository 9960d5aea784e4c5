import { noSuchKey, notImplemented, OssError } from '../oss-error.ts'
import type { OssRequest } from '../oss-request.ts'
import { getObjectTarget, permissionOn, type Verb } from '../verb.ts'
import { conditionFailure } from './conditions.ts'
import { objectResponseHeaders } from './object-response-headers.ts'

/** `GET /key`, with one optional byte range. */
export const getObject: Verb = {
  name: 'GetObject',
  permissions: (request) => [permissionOn(request, 'oss:GetObject')],
  async answer(context, request) {
    const { bucket, key } = getObjectTarget(context, request)
    if (request.params.has('x-oss-process')) throw notImplemented('Image processing is not implemented.')
    const object = await context.store.objects.open(bucket, key)
    if (!object) throw noSuchKey(key)
    context.atEnd(object.release)
    const { manifest } = object
    const failure = conditionFailure(request.headers, manifest)
    if (failure instanceof OssError) throw failure
    const headers = objectResponseHeaders(manifest, request.params)
    if (failure === 'not-modified') return { status: 304, headers }
    const range = readRange(request, manifest.sizeBytes)
    const { start, end } = range ?? { start: 0, end: manifest.sizeBytes }
    return {
      status: range ? 206 : 200,
      headers: {
        ...headers,
        'Content-Length': String(end - start),
        ...(range ? { 'Content-Range': `bytes ${start}-${end - 1}/${manifest.sizeBytes}` } : {}),
      },
      body: object.bytes(start, end),
    }
  },
}

/** `bytes=a-b`, `a-` or `-n`, as start (inclusive) and end (exclusive). Null = the whole object: OSS answers a range it cannot
 *  serve with everything, unless `x-oss-range-behavior: standard` asks for 416. */
function readRange(request: OssRequest, sizeBytes: number): { start: number; end: number } | null {
  const text = request.headers.range
  if (text === undefined) return null
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(text.trim())
  const [, first = '', last = ''] = match ?? []
  if (!match || (first === '' && last === '')) return null
  const isStandard = request.headers['x-oss-range-behavior']?.toLowerCase() === 'standard'
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first)
  const end = first === '' || last === '' ? sizeBytes : Number(last) + 1
  if (first !== '' && last !== '' && end <= start) return null
  if (start >= sizeBytes || (!isStandard && end > sizeBytes)) {
    if (!isStandard) return null
    throw new OssError(416, 'InvalidRange', 'The requested range cannot be satisfied', {
      elements: [
        ['ActualObjectSize', sizeBytes],
        ['RangeRequested', text.slice(0, 100)],
      ],
    })
  }
  return { start, end: Math.min(end, sizeBytes) }
}
