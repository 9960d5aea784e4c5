import type { PartBody } from '../byte-source.ts'
import { type PartReply, type PartRequestToSend, type PartTransport, TransportException } from '../part-transport.ts'
import { type ConnectionSlots, createConnectionSlots } from './connection-slots.ts'
import { createWebLocks } from './web-locks.ts'

const maxTextLength = 65_536
const waitReportMs = 500

/**
 * Parts over XMLHttpRequest: fetch does not tell how far an upload is. Cookies are never sent along. The origins that have let this page
 * send something, by their CORS rules and the page's policy, are added to `reached`.
 */
export function createXhrTransport(
  reached: Set<string> = new Set(),
  slots: ConnectionSlots = createConnectionSlots(createWebLocks()),
): PartTransport {
  return {
    async send(part) {
      const { origin } = new URL(part.url)
      const release = await takeSlot(slots, origin, part)
      const onProgress = (sentBytes: number) => {
        if (sentBytes > 0) reached.add(origin)
        part.onProgress(sentBytes)
      }
      try {
        return await send({ ...part, onProgress })
      } finally {
        release()
      }
    },
  }
}

/** While others have their turn, nothing has stalled: that is said by reports without bytes. */
async function takeSlot(slots: ConnectionSlots, origin: string, part: PartRequestToSend): Promise<() => void> {
  const timer = setInterval(() => part.onProgress(0), waitReportMs)
  try {
    return await slots.take(origin, part.signal)
  } finally {
    clearInterval(timer)
  }
}

async function send(part: PartRequestToSend): Promise<PartReply> {
  const body = part.body.blob?.() ?? part.body.bytes ?? (await collect(part.body))
  part.signal.throwIfAborted()
  let reply: PartReply
  try {
    reply = await exchange(part, body)
  } catch (error) {
    if (error instanceof TransportException) await checkReadable(part.body)
    throw error
  }
  // A file that was cut short may have gone out shorter, which OSS calls a wrong signature.
  if (reply.status !== 200) await checkReadable(part.body)
  return reply
}

/** The browser tells neither a lost network from a hidden answer nor from a file that it could not read: the last can be found out. */
async function checkReadable(body: PartBody): Promise<void> {
  for await (const _piece of body.stream()) return
}

/** For sources that cannot give a Blob: the browser keeps what it is given, on disk if need be. */
async function collect(body: PartBody): Promise<Blob> {
  let blob = new Blob()
  for await (const piece of body.stream()) blob = new Blob([blob, piece as Uint8Array<ArrayBuffer>])
  return blob
}

function exchange(part: PartRequestToSend, body: Blob | Uint8Array): Promise<PartReply> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    let isAnswered = false
    const end = (settle: () => void) => {
      part.signal.removeEventListener('abort', onAbort)
      settle()
    }
    const onAbort = () => {
      end(() => reject(part.signal.reason))
      xhr.abort()
    }
    const fail = (message: string, isOpaque: boolean) =>
      end(() => reject(new TransportException(message, { isOpaque })))
    part.signal.addEventListener('abort', onAbort, { once: true })
    xhr.upload.onprogress = (event) => part.onProgress(event.loaded)
    xhr.onreadystatechange = () => {
      if (xhr.readyState === XMLHttpRequest.HEADERS_RECEIVED) isAnswered = xhr.status !== 0
    }
    xhr.onprogress = (event) => {
      if (event.loaded <= maxTextLength) return
      // Nobody reads that much of an error.
      const reply = replyOf(xhr)
      end(() => resolve(reply))
      xhr.abort()
    }
    xhr.onload = () => end(() => resolve(replyOf(xhr)))
    xhr.onabort = () => fail('the browser dropped the request', false)
    xhr.onerror = () => {
      if (isAnswered) fail('the answer was cut short', false)
      else fail('no answer came, or none that the browser shows to this page', true)
    }
    xhr.open(part.method, part.url)
    for (const [name, value] of Object.entries(part.headers)) xhr.setRequestHeader(name, value)
    xhr.send(body as XMLHttpRequestBodyInit)
  })
}

function replyOf(xhr: XMLHttpRequest): PartReply {
  // All at once: asking for a hidden header by name puts an error on the console.
  const headers = new Map<string, string>()
  for (const line of xhr.getAllResponseHeaders().split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  return {
    status: xhr.status,
    header: (name) => headers.get(name) ?? null,
    text: xhr.status === 200 ? '' : xhr.responseText.slice(0, maxTextLength),
  }
}
