import type { SignerKey } from './identities.ts'
import { OssError } from './oss-error.ts'
import type { XmlElement } from './xml.ts'

/* What both signature versions share: what they need to know, the time they allow, and how they refuse. */

export interface VerifyDeps {
  /** The key behind an id and the token sent with it; throws the refusal. */
  readonly findKey: (accessKeyId: string, securityToken: string | undefined) => SignerKey
  readonly region: string
  readonly now: Date
  /** Whether the legacy signature is taken at all. */
  readonly signatureV1: boolean
}

/** Largest difference between a request's time and the cloud's: 15 minutes. */
export const MAX_SKEW_MS = 15 * 60 * 1000

export function signatureDoesNotMatch(details: {
  accessKeyId: string
  provided: string
  stringToSign: string
  canonicalRequest?: string
  ec: string
}): OssError {
  const elements: XmlElement[] = [
    ['OSSAccessKeyId', details.accessKeyId],
    ['SignatureProvided', details.provided],
    ['StringToSign', details.stringToSign],
    ['StringToSignBytes', spacedHex(details.stringToSign)],
  ]
  if (details.canonicalRequest !== undefined) {
    elements.push(['CanonicalRequest', details.canonicalRequest])
    elements.push(['CanonicalRequestBytes', spacedHex(details.canonicalRequest)])
  }
  const message =
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.'
  return new OssError(403, 'SignatureDoesNotMatch', message, { ec: details.ec, elements })
}

export function requestTimeTooSkewed(requestTime: string, now: Date): OssError {
  const message = 'The difference between the request time and the current time is too large.'
  return new OssError(403, 'RequestTimeTooSkewed', message, {
    ec: '0002-00000504',
    elements: [
      ['RequestTime', requestTime],
      ['ServerTime', now.toISOString()],
      ['MaxAllowedSkewMilliseconds', MAX_SKEW_MS],
    ],
  })
}

export function urlExpired(expires: string, now: Date, ec: string): OssError {
  return new OssError(403, 'AccessDenied', 'Request has expired.', {
    ec,
    elements: [
      ['Expires', expires],
      ['ServerTime', now.toISOString()],
    ],
  })
}

export function accessDenied(message: string, ec?: string): OssError {
  return new OssError(403, 'AccessDenied', message, ec === undefined ? {} : { ec })
}

function spacedHex(text: string): string {
  return Buffer.from(text)
    .toString('hex')
    .toUpperCase()
    .replace(/..(?=.)/g, '$& ')
}
