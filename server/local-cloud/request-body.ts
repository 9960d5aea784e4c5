import { open } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Ingested, ingest } from './files/ingest.ts'
import { entityTooLarge, OssError } from './oss-error.ts'

/** The body of a request, read once and only when a verb wants it. */
export interface RequestBody {
  /** Chunks as they arrive. Ends with an OssError RequestTimeout when the client stops sending, with EntityTooLarge past `maxBytes`,
   *  with a plain error when the connection goes. */
  stream(maxBytes: number): AsyncIterable<Uint8Array>
  /** The whole body as UTF-8 text, for XML. */
  text(maxBytes: number): Promise<string>
  bytes(maxBytes: number): Promise<Buffer>
  /** The whole body in a temporary file, hashed. */
  toFile(tmpDir: string, maxBytes: number): Promise<Ingested>
}

/** What a fault rule does to bytes on their way in. */
export type BodyFilter = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>

export interface RequestBodyOptions {
  /** Longest pause between chunks. */
  readonly idleTimeoutMs: number
  /** The client waits for `100 Continue` before it sends. */
  readonly expectsContinue: boolean
  readonly filters: readonly BodyFilter[]
  /** A fault: the first byte changes on disk, after hashing. */
  readonly corruptsStored: boolean
}

export function createRequestBody(
  options: RequestBodyOptions,
  incoming: IncomingMessage,
  response: ServerResponse,
): RequestBody {
  const stream = (maxBytes: number) => {
    if (options.expectsContinue && !response.writableEnded) response.writeContinue()
    return options.filters.reduce(
      (chunks, filter) => filter(chunks),
      limited(options.idleTimeoutMs, incoming, maxBytes),
    )
  }
  const bytes = async (maxBytes: number) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of stream(maxBytes)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  const toFile = async (tmpDir: string, maxBytes: number) => {
    const ingested = await ingest(tmpDir, stream(maxBytes))
    if (options.corruptsStored) await flipFirstByte(ingested.path)
    return ingested
  }
  return { stream, bytes, toFile, text: async (maxBytes) => (await bytes(maxBytes)).toString('utf8') }
}

async function* limited(idleTimeoutMs: number, incoming: IncomingMessage, maxBytes: number): AsyncIterable<Uint8Array> {
  let received = 0
  for (;;) {
    const chunk: Buffer | null = incoming.read()
    if (chunk !== null) {
      received += chunk.length
      if (received > maxBytes) throw entityTooLarge(maxBytes)
      yield chunk
    } else if (incoming.readableEnded) return
    else await nextChange(idleTimeoutMs, incoming)
  }
}

/** Waits for bytes, the end, or trouble. Not an async iterator: that one would destroy the socket on the way out, and the answer
 *  still has to go over it. */
function nextChange(idleTimeoutMs: number, incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      clearTimeout(timer)
      incoming.off('readable', onChange).off('end', onChange).off('close', onClose).off('error', onClose)
      if (error) reject(error)
      else resolve()
    }
    const onChange = () => settle()
    const onClose = () => settle(incoming.readableEnded ? undefined : connectionLost())
    const timer = setTimeout(() => settle(requestTimeout()), idleTimeoutMs)
    if (incoming.destroyed) return onClose()
    incoming.on('readable', onChange).on('end', onChange).on('close', onClose).on('error', onClose)
  })
}

function connectionLost(): Error {
  return new Error('the connection was closed before the whole body had arrived')
}

function requestTimeout(): OssError {
  const message = 'Your socket connection to the server was not read from or written to within the timeout period.'
  return new OssError(400, 'RequestTimeout', message)
}

async function flipFirstByte(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, 0)
    if (bytesRead === 1) await file.write(Buffer.from([(buffer[0] ?? 0) ^ 0xff]), 0, 1, 0)
  } finally {
    await file.close()
  }
}
