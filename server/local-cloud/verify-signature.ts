import type { Identity } from './identities.ts'
import { invalidArgument, OssError } from './oss-error.ts'
import type { OssRequest } from './oss-request.ts'
import type { VerifyDeps } from './signature-rules.ts'
import { verifyV1Header, verifyV1Query } from './verify-v1.ts'
import { verifyV4Header, verifyV4Query } from './verify-v4.ts'

/** Who signed the request, or null when nobody did. Throws the OssError the service answers to a wrong, late, early, foreign or
 *  malformed signature. Reads only method, target and headers, never the body. */
export function verifySignature(deps: VerifyDeps, request: OssRequest): Identity | null {
  const authorization = request.headers.authorization
  const { params } = request
  const inQueryV4 = ['x-oss-signature', 'x-oss-signature-version', 'x-oss-credential'].some((name) => params.has(name))
  const inQueryV1 = params.has('OSSAccessKeyId') || params.has('Signature')
  if (authorization === undefined) {
    if (inQueryV4) return verifyV4Query(deps, request)
    if (inQueryV1) return withV1Allowed(deps, () => verifyV1Query(deps, request))
    return null
  }
  if (inQueryV4 || inQueryV1) {
    throw invalidArgument('Only one auth mechanism allowed.', 'Authorization', 'header and query')
  }
  if (/^OSS4-HMAC-SHA256(?: |$)/.test(authorization)) return verifyV4Header(deps, request, authorization)
  if (/^OSS(?: |$)/.test(authorization)) return withV1Allowed(deps, () => verifyV1Header(deps, request, authorization))
  throw invalidArgument(
    'Authorization header is invalid.',
    'Authorization',
    authorization.slice(0, 30),
    '0002-00000065',
  )
}

function withV1Allowed(deps: VerifyDeps, verify: () => Identity): Identity {
  if (deps.signatureV1) return verify()
  const message = 'The V1 signature is not supported for this bucket. Please use the V4 signature.'
  throw new OssError(403, 'AccessDenied', message, { ec: '0002-00000080' })
}
