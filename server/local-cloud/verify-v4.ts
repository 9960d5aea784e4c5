import { hash } from 'node:crypto'
import { ALGORITHM_V4, canonicalRequestV4, MAX_EXPIRES_SECONDS, stringToSignV4 } from '@partway/client/contract'
import { signatureV4 } from '../oss/sign-v4.ts'
import { checkPayloadHash, headerTimestamp, parseTimestamp, readAdditional, readCredential } from './claim-v4.ts'
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

/** `Authorization: OSS4-HMAC-SHA256 Credential=…[,AdditionalHeaders=a;b],Signature=…`, with or without spaces after commas. */
export function verifyV4Header(deps: VerifyDeps, request: OssRequest, authorization: string): Identity {
  const fields = new Map<string, string>()
  for (const field of authorization.slice(ALGORITHM_V4.length).split(',')) {
    const equals = field.indexOf('=')
    if (equals > 0) fields.set(field.slice(0, equals).trim(), field.slice(equals + 1).trim())
  }
  const signature = fields.get('Signature')
  if (!signature)
    throw invalidArgument('Authorization header is invalid.', 'Authorization', ALGORITHM_V4, '0002-00000065')
  checkPayloadHash(request.headers['x-oss-content-sha256'])
  const credential = readCredential(deps, fields.get('Credential'), 'in Authorization header')
  const additional = readAdditional(fields.get('AdditionalHeaders'))
  const timestamp = headerTimestamp(request)

  const key = deps.findKey(credential.accessKeyId, request.headers['x-oss-security-token'])
  const signedAt = parseTimestamp(timestamp)
  if (signedAt === null) throw accessDenied('OSS authentication requires a valid Date.')
  if (Math.abs(signedAt - deps.now.getTime()) > MAX_SKEW_MS) {
    throw requestTimeTooSkewed(new Date(signedAt).toISOString(), deps.now)
  }
  if (credential.date !== timestamp.slice(0, 8)) {
    throw invalidArgument('Invalid signing date in Authorization header.', 'Authorization', credential.date)
  }
  checkSignature(
    request,
    request.query,
    { ...credential, timestamp, signature, additional, region: deps.region },
    key.accessKeySecret,
  )
  return key.identity
}

/** A presigned URL. Its life begins 15 minutes before `x-oss-date` and ends `x-oss-expires` seconds after it. */
export function verifyV4Query(deps: VerifyDeps, request: OssRequest): Identity {
  const { params } = request
  const version = params.get('x-oss-signature-version')
  if (version !== ALGORITHM_V4) {
    throw invalidArgument('Invalid signature version.', 'x-oss-signature-version', version ?? '')
  }
  const credential = readCredential(deps, params.get('x-oss-credential'), 'in query string')
  const signature = params.get('x-oss-signature') ?? ''
  if (signature === '') throw invalidArgument('Missing signature.', 'x-oss-signature', '')
  checkPayloadHash(request.headers['x-oss-content-sha256'])
  const additional = readAdditional(params.get('x-oss-additional-headers'))
  const expires = params.get('x-oss-expires') ?? ''
  const expiresSeconds = /^\d{1,7}$/.test(expires) ? Number(expires) : 0
  if (expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    const message = `x-oss-expires must be an integer between 1 and ${MAX_EXPIRES_SECONDS}.`
    throw invalidArgument(message, 'x-oss-expires', expires.slice(0, 40), '0002-00000232')
  }
  const timestamp = params.get('x-oss-date') ?? ''
  const signedAt = parseTimestamp(timestamp)
  if (signedAt === null || credential.date !== timestamp.slice(0, 8)) {
    throw invalidArgument('Invalid date in query string.', 'x-oss-date', timestamp.slice(0, 40))
  }

  const key = deps.findKey(credential.accessKeyId, params.get('x-oss-security-token'))
  const nowMs = deps.now.getTime()
  if (nowMs < signedAt - MAX_SKEW_MS) throw accessDenied('Request is not valid yet.', '0002-00000235')
  const expiresAt = signedAt + expiresSeconds * 1000
  if (nowMs > expiresAt) throw urlExpired(new Date(expiresAt).toISOString(), deps.now, '0002-00000236')
  const query = request.query.filter(([name]) => name !== 'x-oss-signature')
  checkSignature(
    request,
    query,
    { ...credential, timestamp, signature, additional, region: deps.region },
    key.accessKeySecret,
  )
  return key.identity
}

interface SignatureClaim {
  readonly accessKeyId: string
  readonly timestamp: string
  readonly signature: string
  readonly additional: readonly string[]
  readonly region: string
}

function checkSignature(request: OssRequest, query: OssRequest['query'], claim: SignatureClaim, secret: string): void {
  const { method, bucket, key } = request
  const headers = signedHeaders(request)
  const canonicalRequest = canonicalRequestV4({
    method,
    bucket,
    key,
    query,
    headers,
    additionalHeaders: claim.additional,
  })
  const expected = signatureV4(secret, claim.timestamp, claim.region, canonicalRequest)
  if (isSameText(expected, claim.signature)) return
  throw signatureDoesNotMatch({
    accessKeyId: claim.accessKeyId,
    provided: claim.signature,
    stringToSign: stringToSignV4(claim.timestamp, claim.region, hash('sha256', canonicalRequest)),
    canonicalRequest,
    ec: '0002-00000201',
  })
}
