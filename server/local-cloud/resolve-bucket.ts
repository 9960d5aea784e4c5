import { OssError } from './oss-error.ts'

/** Where the bucket stood: before the host, implied by it, or first in the path. */
export type BucketStyle = 'virtual' | 'cname' | 'path'

export interface AddressingOptions {
  readonly region: string
  /** Host name → bucket. */
  readonly cnames: ReadonlyMap<string, string>
  /** Host names before which a bucket may stand, beside OSS's own. */
  readonly hostSuffixes: readonly string[]
  /** Answer path style as the public service does. */
  readonly forbidPathStyle: boolean
}

export interface BucketPlace {
  readonly bucket: string | null
  readonly style: BucketStyle | null
  /** Still percent-encoded, without its leading slash. */
  readonly rawKey: string
}

const ALIYUN_HOST = /^(?:(.+)\.)?(?:oss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com|([a-z0-9-]+)\.oss\.aliyuncs\.com)$/

/** Finds the bucket of a request: by Host `<bucket>.<suffix>` (OSS's own hosts and the local suffixes), by the table of CNAMEs,
 *  else as the first path segment. `rawPath` begins with a slash. Throws OssError 403 for path style where it is forbidden and
 *  for the host of another region. */
export function resolveBucket(options: AddressingOptions, host: string, rawPath: string): BucketPlace {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  const rawKey = rawPath.slice(1)
  const cname = options.cnames.get(name)
  if (cname !== undefined) return { bucket: checkedBucket(cname), style: 'cname', rawKey }

  const aliyun = ALIYUN_HOST.exec(name)
  if (aliyun) {
    const region = aliyun[2] ?? aliyun[3] ?? ''
    if (region !== options.region && !region.startsWith('accelerate')) throw wrongEndpoint(options.region, aliyun[1])
    // The official JavaScript client, given an IP address as endpoint and told to use path style, names the bucket twice.
    const isNamedTwice = aliyun[1] !== undefined && rawPath.startsWith(`/${aliyun[1]}/`)
    if (aliyun[1] && !isNamedTwice) return { bucket: checkedBucket(aliyun[1]), style: 'virtual', rawKey }
    return fromPath(options, rawPath)
  }
  const suffix = options.hostSuffixes.find((candidate) => name.endsWith(`.${candidate}`))
  if (suffix) return { bucket: checkedBucket(name.slice(0, -suffix.length - 1)), style: 'virtual', rawKey }
  return fromPath(options, rawPath)
}

function fromPath(options: AddressingOptions, rawPath: string): BucketPlace {
  const slash = rawPath.indexOf('/', 1)
  const rawBucket = slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash)
  if (rawBucket === '' && rawPath.length <= 1) return { bucket: null, style: null, rawKey: '' }
  if (options.forbidPathStyle) {
    throw new OssError(403, 'SecondLevelDomainForbidden', 'Please use virtual hosted style to access.')
  }
  return { bucket: checkedBucket(rawBucket), style: 'path', rawKey: slash < 0 ? '' : rawPath.slice(slash + 1) }
}

/** Bucket names: 3 to 63 of `a-z0-9-`, beginning and ending with a letter or digit. */
export function checkedBucket(name: string): string {
  if (/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name)) return name
  throw new OssError(400, 'InvalidBucketName', 'The specified bucket is not valid.', {
    elements: [['BucketName', name.slice(0, 100)]],
  })
}

function wrongEndpoint(region: string, bucket: string | undefined): OssError {
  const message =
    'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.'
  return new OssError(403, 'AccessDenied', message, {
    elements: [
      ['Bucket', bucket ?? ''],
      ['Endpoint', `oss-${region}.aliyuncs.com`],
    ],
  })
}
