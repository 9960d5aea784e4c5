import { type Request, Router } from 'express'
import type { Config } from '../config.ts'
import { packageVersion } from '../version.ts'
import { docsPage } from './docs-page.ts'
import { docsStyle } from './docs-style.ts'
import { createOpenApi } from './openapi.ts'
import { refuseOtherMethods } from './other-methods.ts'
import { contextOf } from './request-context.ts'

/** Where callers reach this app: PUBLIC_URL, or else the path it is mounted at. Without a slash at its end. */
export function baseUrlOf(config: Config, mountPath: string): string {
  return config.http.publicUrl ?? mountPath
}

/** `/openapi.json`, and the same document as a page for people. Both are made from the contract once per mount path. */
export function docs(config: Config): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const version = packageVersion()
  const made = new Map<string, { json: string; page: string }>()

  function madeFor(request: Request) {
    const serverUrl = baseUrlOf(config, request.baseUrl) || '/'
    let found = made.get(serverUrl)
    if (!found) {
      const document = createOpenApi({ version, serverUrl })
      found = { json: JSON.stringify(document, null, 2), page: docsPage(document) }
      // A mount path may hold parameters of the surrounding app, so it can be a caller's: remember one, not all.
      made.clear()
      made.set(serverUrl, found)
    }
    return found
  }

  router.get('/openapi.json', (request, response) => {
    contextOf(response).endpoint = 'openapi'
    response.set('Cache-Control', 'no-cache').type('json').send(madeFor(request).json)
  })
  router.get('/docs', (request, response) => {
    contextOf(response).endpoint = 'docs'
    response.set('Cache-Control', 'no-cache').type('html').send(madeFor(request).page)
  })
  router.get('/docs.css', (_request, response) => {
    contextOf(response).endpoint = 'docs'
    response.set('Cache-Control', 'no-cache').type('css').send(docsStyle)
  })

  refuseOtherMethods(
    router,
    ['/openapi.json', '/docs', '/docs.css'].map((path) => ({ method: 'GET', path }) as const),
  )
  return router
}
