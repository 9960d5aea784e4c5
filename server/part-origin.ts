import type { OssConfig } from './oss-config.ts'

/** The origin of the URLs that clients PUT parts to, for browsers' policies: with the bucket before the host where addressing is virtual. */
export function partOriginOf(oss: Pick<OssConfig, 'bucket' | 'publicEndpoint' | 'publicAddressing'>): string {
  const { protocol, host } = new URL(oss.publicEndpoint)
  return `${protocol}//${oss.publicAddressing === 'virtual' ? `${oss.bucket}.` : ''}${host}`
}
