import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { OssError } from './oss-error.ts'
import { errorReply } from './oss-response.ts'

/** Bytes that are no HTTP, or headers past all limits: there is no request to answer, only a socket. */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const refusal = isTooLarge
    ? new OssError(400, 'RequestHeaderSectionTooLarge', 'Your request header section exceeds the maximum allowed size.')
    : new OssError(400, 'BadRequest', 'The request could not be read.')
  const id = randomBytes(12).toString('hex').toUpperCase()
  const { headers = {}, body } = errorReply({ id, host: '', isHead: false }, refusal)
  const text = typeof body === 'string' ? body : ''
  const lines = Object.entries({
    ...headers,
    'x-oss-request-id': id,
    'Content-Length': Buffer.byteLength(text),
    Connection: 'close',
  })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 400 Bad Request\r\n${head}\r\n${text}`)
}
