import { createHmac } from 'node:crypto'
import { encodeRfc3986 } from '@partway/client/contract'
import { findSignerKey, type Identities, type Identity, isSameText } from './identities.ts'
import { OssError } from './oss-error.ts'
import { MAX_SKEW_MS } from './signature-rules.ts'
import { missingParameter, StsError } from './sts-error.ts'

export type RpcParams = ReadonlyMap<string, string>

/** What an RPC request signs: method and all parameters but the signature, encoded twice. */
export function rpcStringToSign(method: string, params: RpcParams): string {
  const pairs = [...params]
    .filter(([name]) => name !== 'Signature')
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
  return `${method}&%2F&${encodeRfc3986(pairs.join('&'))}`
}

/** Base64 HMAC-SHA1 under the secret and a trailing `&`. */
export function rpcSignature(accessKeySecret: string, stringToSign: string): string {
  return createHmac('sha1', `${accessKeySecret}&`).update(stringToSign).digest('base64')
}

/** Nonces that have been used, each for as long as its timestamp could still be accepted. */
export interface UsedNonces {
  /** False when this nonce was seen before. */
  use(nonce: string, now: Date): boolean
}

export function createUsedNonces(): UsedNonces {
  const usedAt = new Map<string, number>()
  return {
    use(nonce, now) {
      // Entries are in order of time, so the old ones are in front.
      for (const [old, at] of usedAt) {
        if (at > now.getTime() - 2 * MAX_SKEW_MS) break
        usedAt.delete(old)
      }
      if (usedAt.has(nonce)) return false
      usedAt.set(nonce, now.getTime())
      return true
    },
  }
}

/** Who signed an RPC request. Throws StsError for a missing or wrong parameter, key, time, signature or nonce. */
export function verifyRpcSignature(
  deps: { identities: Identities; nonces: UsedNonces; now: Date },
  method: string,
  params: RpcParams,
): Identity {
  for (const name of ['AccessKeyId', 'SignatureMethod', 'SignatureVersion', 'SignatureNonce', 'Timestamp']) {
    if (!params.get(name)) throw missingParameter(name)
  }
  const signature = params.get('Signature')
  if (!signature) {
    throw new StsError(400, 'IncompleteSignature', 'The request signature does not conform to Aliyun standards.')
  }
  if (params.get('SignatureMethod') !== 'HMAC-SHA1' || params.get('SignatureVersion') !== '1.0') {
    throw new StsError(400, 'InvalidParameter.SignatureMethod', 'Only HMAC-SHA1, version 1.0, is supported.')
  }
  const accessKeyId = params.get('AccessKeyId') ?? ''
  const key = findKey(deps.identities, accessKeyId, params.get('SecurityToken'), deps.now)
  const signedAt = parseTimestamp(params.get('Timestamp') ?? '')
  if (Math.abs(signedAt - deps.now.getTime()) > MAX_SKEW_MS) {
    throw new StsError(400, 'InvalidTimeStamp.Expired', 'Specified time stamp or date value is expired.')
  }
  const stringToSign = rpcStringToSign(method, params)
  if (!isSameText(rpcSignature(key.accessKeySecret, stringToSign), signature)) {
    const message = `Specified signature is not matched with our calculation. server string to sign is:${stringToSign}`
    throw new StsError(400, 'SignatureDoesNotMatch', message)
  }
  if (!deps.nonces.use(`${accessKeyId} ${params.get('SignatureNonce')}`, deps.now)) {
    throw new StsError(400, 'SignatureNonceUsed', 'Specified signature nonce was used already.')
  }
  return key.identity
}

/** The refusals of the OSS lookup, in the STS's words. */
function findKey(identities: Identities, accessKeyId: string, token: string | undefined, now: Date) {
  if (accessKeyId.startsWith('STS.') && !token) {
    throw new StsError(400, 'MissingSecurityToken', 'SecurityToken is mandatory for this action.')
  }
  try {
    return findSignerKey(identities, accessKeyId, token === '' ? undefined : token, now)
  } catch (error) {
    if (!(error instanceof OssError)) throw error
    if (error.code === 'InvalidAccessKeyId') {
      throw new StsError(404, 'InvalidAccessKeyId.NotFound', 'Specified access key is not found.')
    }
    const isExpired = error.code === 'SecurityTokenExpired'
    const code = isExpired ? 'InvalidSecurityToken.Expired' : 'InvalidSecurityToken.Malformed'
    throw new StsError(400, code, error.message)
  }
}

/** `yyyy-MM-ddTHH:mm:ssZ`; milliseconds are accepted, because a common client sends them. */
function parseTimestamp(text: string): number {
  const at = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(at)) return at
  throw new StsError(400, 'InvalidTimeStamp.Format', 'Specified time stamp or date value is not well formatted.')
}
