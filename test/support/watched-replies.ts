import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { type EndpointName, endpoints } from '@partway/client/contract'
import { learn, type SecretKind, watch } from './secret-watch.ts'

/** The replies that are there to hand out secrets, when they succeed. */
const handingOut: Partial<Record<EndpointName, readonly SecretKind[]>> = {
  createUpload: ['signature', 'vended'],
  grantParts: ['signature', 'vended'],
  grantCredentials: ['vended'],
  grantDirectCredentials: ['vended'],
  createAuthUrl: ['auth-url'],
  askAuthServer: ['vended'],
}

/** `handle`, with every answer looked through: head and body, of API, documents and pages alike. */
export function watchReplies(handle: RequestListener): RequestListener {
  return (request, response) => {
    const chunks: Buffer[] = []
    keepWritten(response, chunks)
    response.once('close', () => look(request, response, Buffer.concat(chunks)))
    handle(request, response)
  }
}

function keepWritten(response: ServerResponse, chunks: Buffer[]): void {
  const { write, end } = response
  const keep = (chunk: unknown, encoding: unknown) => {
    if (typeof chunk === 'string')
      chunks.push(Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'))
    else if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk))
  }
  response.write = ((...args: Parameters<typeof write>) => {
    keep(args[0], args[1])
    return write.apply(response, args)
  }) as typeof write
  response.end = ((...args: Parameters<typeof end>) => {
    keep(args[0], args[1])
    return end.apply(response, args)
  }) as typeof end
}

function look(request: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const body = decoded(bytes, String(response.getHeader('content-encoding') ?? ''))
  const isSuccess = response.statusCode >= 200 && response.statusCode < 300
  const allowed = (isSuccess && handingOut[endpointOf(request.method ?? '', path) ?? 'getTime']) || []
  if (allowed.length > 0) learn(body)
  const where = `the answer ${response.statusCode} to ${request.method} ${path}`
  watch(`the head of ${where}`, JSON.stringify(response.getHeaders()))
  watch(where, body, allowed)
}

function decoded(bytes: Buffer, encoding: string): string {
  if (bytes.length === 0) return ''
  if (encoding === 'gzip') return gunzipSync(bytes).toString('utf8')
  if (encoding === 'br') return brotliDecompressSync(bytes).toString('utf8')
  return bytes.toString('utf8')
}

/** Below whatever path the app is mounted. */
function endpointOf(method: string, path: string): EndpointName | undefined {
  const names = Object.keys(endpoints) as EndpointName[]
  return names.find((name) => {
    const pattern = endpoints[name].path.replace(/\{\w+\}/g, '[^/]+')
    return endpoints[name].method === method && new RegExp(`${pattern}$`).test(path)
  })
}
