import type { Config } from '../../config.ts'

/** What OSS said, as far as the explanation needs it. */
export interface OssRefusal {
  code: string
  ec?: string | undefined
  /** Where OSS says the bucket is. */
  endpoint?: string | undefined
}

const noKey = 'OSS does not know this access key, or it is disabled: look at the credentials the server finds.'
const clock = "This machine's clock is more than 15 minutes off: synchronise it."

/** What an error of OSS means for whoever set this server up, and what to do about it; null for those that say nothing about that. Pure.
 *  Source: OSS "Error responses" and the pages of the error codes. */
export function explainOssError(error: OssRefusal, { oss }: Pick<Config, 'oss'>): string | null {
  if (error.code === 'AccessDenied' && error.endpoint) {
    return `The bucket ${oss.bucket} is at ${error.endpoint}: set OSS_REGION or OSS_ENDPOINT accordingly.`
  }
  // The region in the credential, and the product: EC of InvalidArgument.
  if (error.ec === '0002-00000226') return `OSS_REGION ${oss.region} is not the region of the endpoint.`
  return new Map(Object.entries(explanations(oss))).get(error.code) ?? null
}

function explanations(oss: Config['oss']): Record<string, string> {
  return {
    PublicEndpointForbidden:
      "This account may not use OSS's default public endpoints in mainland regions: bind a domain of your own to the bucket and set OSS_PUBLIC_ENDPOINT to it; for the server itself, OSS_ENDPOINT to that or to the internal endpoint.",
    SecondLevelDomainForbidden:
      'OSS takes no bucket in the path here: set OSS_ADDRESSING (or OSS_PUBLIC_ADDRESSING) to virtual, or to cname for a domain bound to the bucket.',
    NoSuchBucket: `There is no bucket ${oss.bucket} here: look at OSS_BUCKET, OSS_REGION, the endpoint and its addressing.`,
    InvalidBucketName:
      'The endpoint took something else for the bucket: look at OSS_ADDRESSING (virtual, cname or path) and OSS_PUBLIC_ADDRESSING.',
    InvalidAccessKeyId: noKey,
    InvalidSecurityToken: noKey,
    SecurityTokenExpired: 'The security token of the server has expired: its credentials are not renewed.',
    SignatureDoesNotMatch:
      'OSS computes another signature: the access key secret may be wrong, or a proxy on the way changes requests. For part URLs, try SIGN_CONTENT_LENGTH=false.',
    RequestTimeTooSkewed: clock,
    UserDisable: 'The account is disabled or in debt.',
    InDebt: 'The account is in debt.',
  }
}
