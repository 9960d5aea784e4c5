import { type Request, Router } from 'express'
import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { receiveCallback } from '../uploads/receive-callback.ts'
import { createCallbackVerifier } from '../uploads/verify-callback.ts'
import { jsonOf, readBody } from './json-body.ts'
import { refuseOtherMethods } from './other-methods.ts'
import { contextOf } from './request-context.ts'

const path = '/v1/oss-callback'

/**
 * What OSS calls, and nobody else: its signature stands where others send a token. The body is whatever the callback's `body` says; `object`
 * in it, of a form or of JSON, is the key. OSS takes the reply for success only with 200 and JSON.
 */
export function ossCallbacks(deps: Deps): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const verify = createCallbackVerifier(deps)

  router.post(path, async (request, response) => {
    contextOf(response).endpoint = 'ossCallback'
    const { publicUrl } = deps.config.http
    const query = request.originalUrl.replace(/^[^?]*/, '')
    const proof = {
      keyUrl: Buffer.from(headerOf(request, 'x-oss-pub-key-url'), 'base64').toString('utf8'),
      signature: headerOf(request, 'authorization'),
      // A proxy may have taken the path's beginning away: then it is in PUBLIC_URL.
      targets: [request.originalUrl, ...(publicUrl === null ? [] : [pathOf(publicUrl) + path + query])],
    }
    const body = bytesOf(await readBody(request, response))
    if (!(await verify(proof, body))) throw new Problem('forbidden', 'The request is not signed by object storage.')
    const answer = await receiveCallback(deps, { object: objectOf(request, body) })
    response.status(200).set('Cache-Control', 'no-store').json(answer)
  })

  refuseOtherMethods(router, [{ method: 'POST', path }])
  return router
}

function headerOf(request: Request, name: string): string {
  const value = request.headers[name]
  return typeof value === 'string' ? value : ''
}

function pathOf(publicUrl: string): string {
  return new URL(publicUrl).pathname.replace(/\/+$/, '')
}

/** The bytes as they came, for they are signed. A body parser of the surrounding app would have thrown them away. */
function bytesOf(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0)
  if (Buffer.isBuffer(body)) return body
  throw new Problem('internal', undefined, { cause: new Error('a body parser ran before Partway: mount it after') })
}

function objectOf(request: Request, body: Buffer): string {
  const isJson = /^application\/json\b/i.test(request.headers['content-type'] ?? '')
  const fields = isJson ? jsonOf(body) : Object.fromEntries(new URLSearchParams(body.toString('utf8')))
  const { object } = (fields ?? {}) as { object?: unknown }
  if (typeof object === 'string' && /^[^\p{Cs}\0]{1,1023}$/u.test(object)) return object
  throw new Problem('invalid-request', undefined, {
    errors: [{ detail: 'must hold object=${object}, or in JSON "object": ${object}', pointer: '/body/object' }],
  })
}
