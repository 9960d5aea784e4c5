import { endpoints } from '@partway/client/contract'

/** What stands in paths beside the words of the contract's endpoints. */
const otherWords = ['healthz', 'readyz', 'metrics', 'docs', 'openapi.json', 'oss-callback', 'assets']
const words = new Set([
  '',
  ...otherWords,
  ...Object.values(endpoints).flatMap(({ path }) => path.split('/').filter((segment) => !segment.startsWith('{'))),
])
/** Ids of uploads and auth URLs: they open nothing by themselves. */
const id = /^(upl|aur)_[0-9a-f]{32}$/

/**
 * A path as the log may show it: words of this API and ids of its rows as they are, any other segment as `*`. What somebody puts into a path
 * by mistake could be a secret. `mountPath` is the surrounding app's own and stays.
 */
export function loggedPath(url: string, mountPath: string): string {
  const path = url.split('?', 1)[0] ?? ''
  const [mounted, own] = path.startsWith(mountPath) ? [mountPath, path.slice(mountPath.length)] : ['', path]
  return (
    mounted +
    own
      .split('/')
      .map((segment) => (words.has(segment) || id.test(segment) ? segment : '*'))
      .join('/')
  )
}
