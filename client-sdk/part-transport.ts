import type { PartBody } from './byte-source.ts'

/** One HTTP request that carries a part to OSS. */
export interface PartRequestToSend {
  method: string
  /** Presigned: a secret until it expires. */
  url: string
  /** Exactly the headers to set. Content-Length and Host are the HTTP stack's business; any other header breaks the signature. */
  headers: Readonly<Record<string, string>>
  body: PartBody
  /** When it aborts, the connection is dropped and `send` rejects with the signal's reason. */
  signal: AbortSignal
  /** Bytes of the body the network has taken so far. */
  onProgress: (sentBytes: number) => void
}

/** An answer of any status. */
export interface PartReply {
  status: number
  /** Null for headers that are absent or, in a browser, not exposed. Names in lower case. */
  header(name: string): string | null
  /** The body, for anything but 200; at most 64 KiB of it. */
  text: string
}

/**
 * Sends parts. Rejects with TransportException when no answer came; whatever is thrown while reading the body passes through.
 */
export interface PartTransport {
  /** Resolves with an answer of any status. */
  send(request: PartRequestToSend): Promise<PartReply>
  /** Drops the connections that are kept. */
  close?(): void
}

/** No answer came. */
export class TransportException extends Error {
  /** The platform hides what happened: an answer without CORS headers looks like this in a browser. The grant is then suspect too. */
  readonly isOpaque: boolean

  constructor(message: string, options: { isOpaque?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'TransportException'
    this.isOpaque = options.isOpaque ?? false
  }
}
