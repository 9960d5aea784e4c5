import { join } from 'node:path'
import { type Request, type Response, Router } from 'express'
import type { Config } from '../config.ts'
import { partOriginOf } from '../part-origin.ts'
import { Problem } from '../problem.ts'
import { refuseOtherMethods } from './other-methods.ts'
import { contextOf } from './request-context.ts'
import { builtPagesDirectory, type PageFile, readPageFiles } from './web-page-files.ts'

const HASHED = 'public, max-age=31536000, immutable'

interface WebPage {
  /** Its address, with the slash at its end: `/`, `/admin/`. */
  path: string
  directory: string
  policy: string
}

/**
 * The upload page at `/` and the admin page at `/admin/`, each with what it loads below its own `assets/`. Everything is read once, at the
 * first request, and answered from memory: a path names a file that was built or none. `directory` is where the build put both.
 */
export function webPages(config: Config, directory: string = builtPagesDirectory()): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const signIn = config.localCloud ? 'link' : 'form'
  servePage(router, signIn, {
    path: '/',
    directory: join(directory, 'upload'),
    policy: pagePolicy(partOriginOf(config.oss)),
  })
  servePage(router, signIn, { path: '/admin/', directory: join(directory, 'admin'), policy: adminPolicy })
  return router
}

function servePage(router: Router, signIn: 'link' | 'form', { path, directory, policy }: WebPage): void {
  let files: ReadonlyMap<string, PageFile> | null = null

  function fileAt(name: string): PageFile | undefined {
    files ??= readPageFiles(directory, { '%SIGN_IN%': signIn })
    return files?.get(name)
  }

  // Below a mount path, `/` is also asked for without its slash.
  const paths = path === '/' ? [path] : [path, path.slice(0, -1)]
  router.get(paths, (request, response) => {
    contextOf(response).endpoint = 'page'
    const page = fileAt('index.html')
    if (!page) {
      throw new Problem('not-found', 'The web pages are not built: run "npm run build", or set WEB_PAGES=false.')
    }
    // The page's relative URLs need the slash that Express does not ask for.
    const slash = missingSlash(request)
    if (slash) return void response.redirect(308, slash)
    sendFile(request, response.set('Cache-Control', 'no-store'), page, policy)
  })

  router.get(`${path}assets/:name`, (request, response) => {
    contextOf(response).endpoint = 'page-asset'
    const file = fileAt(`assets/${request.params.name}`)
    if (!file) throw new Problem('not-found')
    sendFile(request, response.set('Cache-Control', HASHED), file, policy)
  })

  refuseOtherMethods(
    router,
    [...paths, `${path}assets/{name}`].map((readable) => ({ method: 'GET', path: readable })),
  )
}

/**
 * What the upload page may do: run and show what this server serves, compile the WebAssembly that hashes, and speak to this server and to
 * OSS. It goes with the worker's script too, whose own policy it then is.
 */
export function pagePolicy(partOrigin: string): string {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self' data:",
    "worker-src 'self'",
    `connect-src 'self' ${partOrigin}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join(';')
}

/** The admin page shows names that strangers chose: it runs this server's files and speaks to this server, and can do nothing else. */
const adminPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  // Where the browser knows it: a string never becomes markup or a script, by whatever code.
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join(';')

function sendFile(request: Request, response: Response, file: PageFile, policy: string): void {
  response.set('Content-Security-Policy', policy).type(file.contentType).vary('Accept-Encoding')
  const mayCompress = file.gzipped !== null && request.acceptsEncodings('gzip') === 'gzip'
  if (mayCompress) response.set('Content-Encoding', 'gzip').send(file.gzipped)
  else response.send(file.bytes)
}

/** `/uploads` of an app mounted there → `uploads/`, relative: proxies in front may have more path than is seen here. */
function missingSlash(request: Request): string | null {
  const [path = '', query] = request.originalUrl.split('?', 2)
  if (path.endsWith('/')) return null
  return `./${path.slice(path.lastIndexOf('/') + 1)}/${query === undefined ? '' : `?${query}`}`
}
