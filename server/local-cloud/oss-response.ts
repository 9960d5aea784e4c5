import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { OssError } from './oss-error.ts'
import type { OssReply } from './verb.ts'
import { renderXml, type XmlElement } from './xml.ts'

/** An error as OSS writes it; HEAD has no body, so there the document travels in `x-oss-err`. */
export function errorReply(place: { id: string; host: string; isHead: boolean }, error: OssError): OssReply {
  const { ec } = error
  const elements: XmlElement[] = [
    ['Code', error.code],
    ['Message', error.message],
    ['RequestId', place.id],
    ['HostId', place.host],
    ...error.elements,
    ...(ec === undefined
      ? []
      : ([
          ['EC', ec],
          ['RecommendDoc', `https://api.aliyun.com/troubleshoot?q=${ec}`],
        ] satisfies XmlElement[])),
  ]
  const document = renderXml(['Error', elements])
  const headers = { ...(ec === undefined ? {} : { 'x-oss-ec': ec }), ...error.headers }
  if (place.isHead) {
    return { status: error.status, headers: { ...headers, 'x-oss-err': Buffer.from(document).toString('base64') } }
  }
  return { status: error.status, headers: { 'Content-Type': 'application/xml', ...headers }, body: document }
}

/** Sends an answer and waits until it is out. Throws when the connection goes first. Returns the status. */
export async function sendReply(response: ServerResponse, incoming: IncomingMessage, reply: OssReply): Promise<number> {
  const { status, headers = {}, body = '' } = reply
  if (response.destroyed) throw new Error('the connection was closed')
  // Where the client waited for 100-continue and is refused, Node closes the connection by itself.
  const isBodyLeft = !incoming.complete
  const isBodyless = incoming.method === 'HEAD' || status === 204 || status === 304
  if (typeof body === 'string' && !isBodyless) response.setHeader('Content-Length', Buffer.byteLength(body))
  response.writeHead(status, { ...headers })
  if (typeof body === 'string') {
    await new Promise<void>((resolve, reject) => {
      response.once('close', () =>
        response.writableFinished ? resolve() : reject(new Error('the connection was closed')),
      )
      response.end(isBodyless ? undefined : body, resolve)
    })
  } else {
    await pipeline(body, response)
  }
  if (isBodyLeft) discardRest(incoming)
  return status
}

// Closing at once, with bytes of the client's still arriving, would reset the connection, and the client might never see the
// answer. Node reads on after an early answer; this bounds how long.
const DISCARD_MS = 2_000
const DISCARD_BYTES = 32 * 1024 * 1024

function discardRest(incoming: IncomingMessage): void {
  let left = DISCARD_BYTES
  const stop = () => incoming.socket.destroy()
  const timer = setTimeout(stop, DISCARD_MS).unref()
  incoming.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) stop()
  })
  incoming.once('end', () => clearTimeout(timer))
  incoming.once('close', () => clearTimeout(timer))
}

/** Ends a connection without an answer. */
export function endConnection(incoming: IncomingMessage, response: ServerResponse): void {
  response.destroy()
  incoming.socket.destroy()
}
