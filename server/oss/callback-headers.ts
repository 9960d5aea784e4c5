import { callbackParameters, type UploadCallback } from '@partway/client/contract'

/** The headers that make OSS send a callback when it has made the object. Signed like every `x-oss-*` header. */
export function callbackHeaders(callback: UploadCallback | null | undefined): Record<string, string> {
  if (!callback) return {}
  const { parameter, variables } = callbackParameters(callback)
  return {
    'x-oss-callback': Buffer.from(parameter).toString('base64'),
    ...(variables === null ? {} : { 'x-oss-callback-var': Buffer.from(variables).toString('base64') }),
  }
}
