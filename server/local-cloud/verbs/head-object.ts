import { noSuchKey, OssError } from '../oss-error.ts'
import { getObjectTarget, permissionOn, type Verb } from '../verb.ts'
import { conditionFailure } from './conditions.ts'
import { objectResponseHeaders } from './object-response-headers.ts'

/** `HEAD /key`: what GetObject would say, without the bytes. */
export const headObject: Verb = {
  name: 'HeadObject',
  permissions: (request) => [permissionOn(request, 'oss:GetObject')],
  async answer(context, request) {
    const { bucket, key } = getObjectTarget(context, request)
    const object = await context.store.objects.open(bucket, key)
    if (!object) throw noSuchKey(key)
    context.atEnd(object.release)
    const { manifest } = object
    const failure = conditionFailure(request.headers, manifest)
    if (failure instanceof OssError) throw failure
    const headers = objectResponseHeaders(manifest, request.params)
    if (failure === 'not-modified') return { status: 304, headers }
    return { status: 200, headers: { ...headers, 'Content-Length': String(manifest.sizeBytes) } }
  },
}
