import { preflightHeaders } from '../cors.ts'
import type { Verb } from '../verb.ts'

/** `OPTIONS`: what a browser asks before a request from another origin. Nothing is signed. */
export const preflight: Verb = {
  name: 'OptionObject',
  isPublic: true,
  permissions: () => [],
  async answer(context, request) {
    const bucket = request.bucket === null ? null : context.store.buckets.find(request.bucket)
    return { status: 200, headers: preflightHeaders(bucket?.cors ?? null, request.headers) }
  },
}
