import { isIP } from 'node:net'
import type { Addressing } from '@partway/client/contract'
import { defaultPorts } from './config-rules.ts'
import { LOCAL_BUCKET, localRootKey, localServerUser } from './local-identities.ts'
import type { Variables } from './variables.ts'

/** The bucket, and the two ways to it. Endpoints are base URLs without bucket and without a slash at their end. */
export interface OssConfig {
  bucket: string
  region: string
  /** How the server reaches OSS. */
  endpoint: string
  addressing: Addressing
  /** How clients reach OSS: the base of presigned URLs. */
  publicEndpoint: string
  publicAddressing: Addressing
  /** The key of the local cloud's server user; null: the default chain of `@alicloud/credentials`. */
  credentials: { accessKeyId: string; accessKeySecret: string } | null
}

/** Where the stand-in for OSS and STS listens, and its root key. */
export interface LocalCloudConfig {
  /** The address it binds. */
  host: string
  /** The host written into URLs for clients, which may be phones or containers. */
  publicHost: string
  ossPort: number
  stsPort: number
  rootAccessKeyId: string
  rootAccessKeySecret: string
}

export function localCloudOf(variables: Variables): LocalCloudConfig {
  const host = variables.LOCAL_HOST ?? '127.0.0.1'
  return {
    host,
    publicHost: variables.LOCAL_PUBLIC_HOST ?? reachable(host),
    ossPort: variables.LOCAL_OSS_PORT ?? defaultPorts.localOss,
    stsPort: variables.LOCAL_STS_PORT ?? defaultPorts.localSts,
    rootAccessKeyId: variables.LOCAL_ACCESS_KEY_ID ?? localRootKey.accessKeyId,
    rootAccessKeySecret: variables.LOCAL_ACCESS_KEY_SECRET ?? localRootKey.accessKeySecret,
  }
}

export function localOss(variables: Variables, region: string): OssConfig {
  const localCloud = localCloudOf(variables)
  return {
    bucket: LOCAL_BUCKET,
    region,
    endpoint: urlTo(localCloud.host, localCloud.ossPort),
    addressing: 'path',
    publicEndpoint: urlTo(localCloud.publicHost, localCloud.ossPort),
    publicAddressing: 'path',
    credentials: { accessKeyId: localServerUser.accessKeyId, accessKeySecret: localServerUser.accessKeySecret },
  }
}

/** Clients cannot reach an internal endpoint, so it is never taken over as the public one. */
export function liveOss(variables: Variables, bucket: string, region: string): OssConfig {
  const regional = `https://oss-${region}.aliyuncs.com`
  const endpoint = variables.OSS_ENDPOINT ?? regional
  const publicEndpoint =
    variables.OSS_PUBLIC_ENDPOINT ?? (endpoint.endsWith('-internal.aliyuncs.com') ? regional : endpoint)
  // An OSS_ADDRESSING that was set for the same host holds for both ways.
  const isSameHost = publicEndpoint === endpoint
  return {
    bucket,
    region,
    endpoint,
    addressing: variables.OSS_ADDRESSING ?? usualAddressing(endpoint),
    publicEndpoint,
    publicAddressing:
      variables.OSS_PUBLIC_ADDRESSING ??
      (isSameHost && variables.OSS_ADDRESSING ? variables.OSS_ADDRESSING : usualAddressing(publicEndpoint)),
    credentials: null,
  }
}

/** What an endpoint's host says about addressing: OSS's own hosts take a bucket label, addresses cannot, other names are CNAMEs. */
export function usualAddressing(endpoint: string): Addressing {
  const host = new URL(endpoint).hostname.replace(/^\[|\]$/g, '')
  if (host.endsWith('.aliyuncs.com')) return 'virtual'
  if (isIP(host) !== 0 || host === 'localhost') return 'path'
  return 'cname'
}

/** `http://host:port` as one can connect to it: a wildcard address becomes loopback, IPv6 gets its brackets. */
export function urlTo(host: string, port: number): string {
  const name = reachable(host)
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}
