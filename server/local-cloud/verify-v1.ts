import { createHmac } from 'node:crypto'
import { type Identity, isSameText } from './identities.ts'
import { invalidArgument } from './oss-error.ts'
import { type OssRequest, signedHeaders } from './oss-request.ts'
import {
  accessDenied,
  MAX_SKEW_MS,
  requestTimeTooSkewed,
  signatureDoesNotMatch,
  urlExpired,
  type VerifyDeps,
} from './signature-rules.ts'

/* The legacy signature: base64 HMAC-SHA1. Old SDKs still sign with it by default, so the local cloud can check it; the product
 * itself never produces it. */

// Query parameters that are part of the resource, beside every `x-oss-*`. Source: OSS "Add a signature to the header".
const SUBRESOURCES = new Set(
  `acl append bucketInfo callback callback-var cloudboxes cname comp continuation-token cors delete endTime img lifecycle live
  location logging objectMeta partNumber position qos referer regionList replication replicationLocation replicationProgress
  response-cache-control response-content-disposition response-content-encoding response-content-language response-content-type
  response-expires restore security-token sequential startTime stat status style styleName symlink tagging uploadId uploads
  versionId versioning versions vod website`.split(/\s+/),
)

/** `Authorization: OSS <AccessKeyId>:<signature>`; the time is `x-oss-date`, else `Date`. */
export function verifyV1Header(deps: VerifyDeps, request: OssRequest, authorization: string): Identity {
  const match = /^OSS ([^:\s]+):(\S+)$/.exec(authorization)
  if (!match) throw invalidArgument('Authorization header is invalid.', 'Authorization', 'OSS', '0002-00000065')
  const [, accessKeyId = '', signature = ''] = match
  const key = deps.findKey(accessKeyId, request.headers['x-oss-security-token'])
  const date = request.headers['x-oss-date'] ?? request.headers.date ?? ''
  const signedAt = Date.parse(date)
  if (Number.isNaN(signedAt)) throw accessDenied('OSS authentication requires a valid Date.')
  if (Math.abs(signedAt - deps.now.getTime()) > MAX_SKEW_MS) {
    throw requestTimeTooSkewed(new Date(signedAt).toISOString(), deps.now)
  }
  checkSignature(request, { accessKeyId, signature, date }, key.accessKeySecret)
  return key.identity
}

/** A URL with `OSSAccessKeyId`, `Expires` (Unix seconds) and `Signature`, and `security-token` for a session. The expiry is
 *  checked before the signature, as documented. */
export function verifyV1Query(deps: VerifyDeps, request: OssRequest): Identity {
  const { params } = request
  const accessKeyId = params.get('OSSAccessKeyId')
  const expires = params.get('Expires')
  const signature = params.get('Signature')
  if (!accessKeyId || !expires || !signature) {
    const message = 'Query-string authentication requires the Signature, Expires and OSSAccessKeyId parameters'
    throw accessDenied(message, '0002-00000067')
  }
  if (!/^\d{1,12}$/.test(expires)) throw accessDenied('Invalid date (should be seconds since epoch).', '0002-00000068')
  const key = deps.findKey(accessKeyId, params.get('security-token'))
  const expiresAt = Number(expires) * 1000
  if (expiresAt < deps.now.getTime()) throw urlExpired(new Date(expiresAt).toISOString(), deps.now, '0002-00000069')
  checkSignature(request, { accessKeyId, signature, date: expires }, key.accessKeySecret)
  return key.identity
}

function checkSignature(
  request: OssRequest,
  claim: { accessKeyId: string; signature: string; date: string },
  secret: string,
): void {
  const stringToSign = stringToSignV1(request, claim.date)
  const expected = createHmac('sha1', secret).update(stringToSign).digest('base64')
  if (isSameText(expected, claim.signature)) return
  throw signatureDoesNotMatch({
    accessKeyId: claim.accessKeyId,
    provided: claim.signature,
    stringToSign,
    ec: '0002-00000040',
  })
}

/** What V1 signs. `date` is the date header's text, or `Expires` for a URL. */
export function stringToSignV1(request: OssRequest, date: string): string {
  const headers = signedHeaders(request)
  const ossHeaders = Object.keys(headers)
    .filter((name) => name.startsWith('x-oss-'))
    .sort()
    .map((name) => `${name}:${headers[name]?.trim()}\n`)
    .join('')
  const subresources = request.query
    .filter(([name]) => SUBRESOURCES.has(name) || name.startsWith('x-oss-'))
    .map(([name, value]) => (value === null || value === '' ? name : `${name}=${value}`))
    .sort()
  const path = request.bucket === null ? '/' : `/${request.bucket}/${request.key ?? ''}`
  const resource = subresources.length > 0 ? `${path}?${subresources.join('&')}` : path
  const md5 = headers['content-md5'] ?? ''
  return `${request.method}\n${md5}\n${headers['content-type'] ?? ''}\n${date}\n${ossHeaders}${resource}`
}
