import type { ServerClock } from '../clock.ts'
import type { DirectCredentials, UploadCredentials } from '../contract/credentials.ts'
import type { CredentialKeeper } from '../sts/credential-keeper.ts'
import { clockCorrection } from './clock-correction.ts'

/** What `refreshSTSToken` gives. */
export interface StsToken {
  accessKeyId: string
  /** A secret until it expires. */
  accessKeySecret: string
  /** A secret until it expires. */
  stsToken: string
}

/** What `new OSS(options)` of ali-oss takes. Add `timeout`, `retryMax` and the like by spreading it: `new OSS({ ...options, timeout })`. */
export interface AliOssOptions extends StsToken {
  bucket: string
  /** As ali-oss names it: `oss-cn-hangzhou`. */
  region: string
  /** With its scheme. */
  endpoint: string
  /** The endpoint is a domain bound to the bucket. */
  cname: boolean
  /** The bucket goes into the path: for local stand-ins, OSS itself refuses it. */
  sldEnable: boolean
  /** Whether the endpoint's scheme is https. */
  secure: boolean
  /** Newer accounts and buckets take no signatures of version 1. */
  authorizationV4: true
  /** Living credentials: from memory or, near their end, from the server. */
  refreshSTSToken: () => Promise<StsToken>
  /** How long, in ms, ali-oss may go without asking {@link refreshSTSToken}: not at all. */
  refreshSTSTokenInterval: number
}

/** No more than what changes with a renewal: ali-oss copies every field over its options, whose endpoint it has parsed by then. */
function stsTokenOf(credentials: DirectCredentials | UploadCredentials): StsToken {
  const { accessKeyId, accessKeySecret, securityToken } = credentials
  return { accessKeyId, accessKeySecret, stsToken: securityToken }
}

/**
 * The options of ali-oss 6 for `credentials`, and for those that `keeper` gives later, until `signal` aborts. ali-oss asks for new ones when its interval has
 * passed on the machine's clock since it was made, whatever is left of the first ones by then, and while one request waits for them, all
 * others go out with the old. So it is made to ask before every request: even 0 would not do, as a clock that is set back makes a negative
 * difference.
 */
export function aliOssOptions<Credentials extends DirectCredentials | UploadCredentials>(
  credentials: Credentials,
  keeper: Pick<CredentialKeeper<Credentials>, 'get'>,
  serverClock: ServerClock,
  signal: AbortSignal | undefined,
): AliOssOptions {
  const { bucket, region, endpoint, addressing } = credentials
  const { origin, protocol } = new URL(endpoint)
  return {
    ...stsTokenOf(credentials),
    bucket,
    region: `oss-${region}`,
    endpoint: origin,
    cname: addressing === 'cname',
    sldEnable: addressing === 'path',
    secure: protocol === 'https:',
    authorizationV4: true,
    async refreshSTSToken() {
      signal?.throwIfAborted()
      return { ...stsTokenOf(await keeper.get()), ...clockCorrection(serverClock) }
    },
    refreshSTSTokenInterval: Number.NEGATIVE_INFINITY,
  }
}
