import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** What came back: everything the peer said of the body's length is still to be judged. */
export interface PostReply {
  readonly status: number
  /** Null when there is no Content-Length. */
  readonly contentLength: number | null
  readonly body: Buffer
}

export interface Post {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Name the host in the TLS handshake. */
  readonly sni: boolean
  /** For everything together. */
  readonly timeoutMs: number
  /** A longer reply is an error. */
  readonly maxReplyBytes: number
}

const MAX_HEAD_BYTES = 64 * 1024

/** POSTs as OSS does: HTTP/1.0, one connection, no redirects. Node's own client speaks only 1.1, to which servers answer differently: with
 *  chunks instead of a length. Rejects when there is no whole reply in time. */
export function postOnce(post: Post): Promise<PostReply> {
  return new Promise((resolve, reject) => {
    const socket = open(post)
    const chunks: Buffer[] = []
    let receivedBytes = 0
    let isSettled = false
    const settle = (result: PostReply | Error) => {
      if (isSettled) return
      isSettled = true
      clearTimeout(timer)
      socket.destroy()
      if (result instanceof Error) reject(result)
      else resolve(result)
    }
    const timer = setTimeout(() => settle(new Error('no reply in time')), post.timeoutMs)
    const look = (isEnd: boolean) => {
      const reply = readReply(Buffer.concat(chunks), isEnd)
      if (reply) settle(reply)
      else if (isEnd) settle(new Error('the connection ended before the reply did'))
    }
    socket.on('error', settle)
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      receivedBytes += chunk.length
      if (receivedBytes > MAX_HEAD_BYTES + post.maxReplyBytes) settle(new Error('the reply is too long'))
      else look(false)
    })
    socket.on('end', () => look(true))
    socket.on('close', () => settle(new Error('the connection was closed')))
    const lines = Object.entries(post.headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`POST ${post.url.pathname}${post.url.search} HTTP/1.0\r\n${lines.join('')}\r\n`)
    socket.write(post.body)
  })
}

function open({ url, sni }: Post): Socket {
  const host = url.hostname
  if (url.protocol === 'http:') return connectTcp({ host, port: Number(url.port || 80) })
  return connectTls({ host, port: Number(url.port || 443), ...(sni ? { servername: host } : {}) })
}

/** The reply, once it is whole: by its Content-Length, or without one when the connection has ended. */
function readReply(bytes: Buffer, isEnd: boolean): PostReply | null {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.[01] ([1-9][0-9]{2})(?: |$)/.exec(statusLine)?.[1] ?? 0)
  const body = bytes.subarray(headEnd + 4)
  const announced = lines
    .map((line) => /^content-length:\s*([0-9]+)\s*$/i.exec(line)?.[1])
    .find((text) => text !== undefined)
  const contentLength = announced === undefined ? null : Number(announced)
  if (contentLength === null) return isEnd ? { status, contentLength, body } : null
  return body.length < contentLength ? null : { status, contentLength, body: body.subarray(0, contentLength) }
}
