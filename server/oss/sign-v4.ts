import { createHmac, hash } from 'node:crypto'
import {
  ALGORITHM_V4,
  additionalHeaderNames,
  assertHeaderPresent,
  type CanonicalInput,
  canonicalRequestV4,
  fillIn,
  type PresignInput,
  type PresignOpen,
  presignFormsV4,
  scopeV4,
  stringToSignV4,
  timestampV4,
  UNSIGNED_PAYLOAD,
} from '@partway/client/contract'
import { createFormBytes } from './form-bytes.ts'
import { createHmacSha256, type HmacSha256 } from './hmac-sha256.ts'

/* OSS signature V4: the text of a request, which the contract makes, signed with node:crypto. */

/** A long-lived key, or a temporary one with its `securityToken`. */
export interface CredentialsV4 {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken?: string
}

/** Signs a canonical request: hex HMAC-SHA256 under the key of (secret, day, region). `timestamp` as from `timestampV4`. */
export function signatureV4(secret: string, timestamp: string, region: string, canonicalRequest: string): string {
  return hashSigner(secret, timestamp, region)(hash('sha256', canonicalRequest))
}

/** The four keys of the chain, outermost first. Exported for the known answers; callers want `signatureV4`. */
export function keyChainV4(secret: string, date: string, region: string): [Buffer, Buffer, Buffer, Buffer] {
  const step = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
  const kDate = step(`aliyun_v4${secret}`, date)
  const kRegion = step(kDate, region)
  const kService = step(kRegion, 'oss')
  return [kDate, kRegion, kService, step(kService, 'aliyun_v4_request')]
}

// Four HMACs per signature would be most of its cost, and a key serves a whole day. The bound only guards against a flood of
// short-lived credentials.
const signers = new Map<string, HmacSha256>()
const MAX_SIGNERS = 256

function signerOf(secret: string, date: string, region: string): HmacSha256 {
  const name = `${date}\n${region}\n${secret}`
  const known = signers.get(name)
  if (known) return known
  if (signers.size >= MAX_SIGNERS) signers.delete(signers.keys().next().value ?? '')
  const made = createHmacSha256(keyChainV4(secret, date, region)[3])
  signers.set(name, made)
  return made
}

/** Signs the hex hash of a canonical request; see `signatureV4`. */
function hashSigner(secret: string, timestamp: string, region: string): (requestHash: string) => string {
  return signerOf(secret, timestamp.slice(0, 8), region)(stringToSignV4(timestamp, region, ''))
}

/** A request to presign. `expiresSeconds` is 1 to 604800. */
export interface PresignRequest extends Omit<PresignInput, 'accessKeyId' | 'securityToken'> {
  readonly credentials: CredentialsV4
}

/** Presigns many URLs that differ in what is `open`, such as those of an object's parts: takes the values. See `presignFormsV4`, also for
 *  what it throws. */
export function createPresignerV4(
  { credentials, ...request }: PresignRequest,
  open: PresignOpen = {},
): (...values: string[]) => string {
  const { accessKeyId, securityToken, accessKeySecret } = credentials
  const { timestamp, canonicalRequest, url } = presignFormsV4({ ...request, accessKeyId, securityToken }, open)
  const bytesOf = createFormBytes(canonicalRequest)
  const sign = hashSigner(accessKeySecret, timestamp, request.region)
  const count = (open.query?.length ?? 0) + (open.headers?.length ?? 0)
  return (...values) => {
    if (values.length !== count) throw new TypeError(`${count} values are left open, ${values.length} were given`)
    values.push(sign(hash('sha256', bytesOf(values))))
    return fillIn(url, values)
  }
}

/** One presigned URL; see `createPresignerV4` for many. */
export function presignV4(request: PresignRequest): string {
  return createPresignerV4(request)()
}

export interface HeaderSignInput extends CanonicalInput {
  readonly region: string
  readonly credentials: CredentialsV4
  readonly now: Date
}

/** The headers to send with a request signed in its headers: those given, `x-oss-date`, `x-oss-content-sha256`, the security
 *  token and `Authorization`. Names come out as they were given. */
export function signHeadersV4(input: HeaderSignInput): Record<string, string> {
  const { credentials, region } = input
  const timestamp = timestampV4(input.now)
  const additional = additionalHeaderNames(input.additionalHeaders)
  const headers: Record<string, string> = {
    ...input.headers,
    'x-oss-date': timestamp,
    'x-oss-content-sha256': UNSIGNED_PAYLOAD,
    ...(credentials.securityToken ? { 'x-oss-security-token': credentials.securityToken } : {}),
  }
  for (const name of additional) assertHeaderPresent(Object.entries(headers), name)
  const request = canonicalRequestV4({ ...input, headers })
  const signature = signatureV4(credentials.accessKeySecret, timestamp, region, request)
  const names = additional.length > 0 ? `,AdditionalHeaders=${additional.join(';')}` : ''
  const credential = `${credentials.accessKeyId}/${scopeV4(timestamp, region)}`
  return { ...headers, Authorization: `${ALGORITHM_V4} Credential=${credential}${names},Signature=${signature}` }
}
