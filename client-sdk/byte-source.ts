/** Where the bytes of an upload come from. The engine reads ranges in any order, some of them twice. */
export interface ByteSource {
  /** The name people see; the upload's file name unless an option says otherwise. */
  readonly name: string
  /** Fixed for as long as the source is open. */
  readonly sizeBytes: number
  /** A media type, where the platform knows one. */
  readonly contentType?: string | undefined
  /** Tells sources of equal content apart in the record store: an absolute path, for one. */
  readonly identity?: string | undefined

  /**
   * The bytes `start` (inclusive) to `end` (exclusive), all of them. With `into`, which is at least as long, they may be put there.
   * Throws ClientException `source-changed` when the source has become shorter, `source-unreadable` when it cannot be read.
   */
  read(start: number, end: number, into?: Uint8Array): Promise<Uint8Array>

  /** The same bytes in pieces of about 1 MiB at most. A piece is valid until the next one is asked for. Throws like `read`. */
  stream(start: number, end: number): AsyncIterable<Uint8Array>

  /** Where the platform can hand over a range without reading it (browsers): an untyped Blob. */
  blob?(start: number, end: number): Blob

  /** Throws ClientException `source-changed` when the source is not what it was when it was opened, as far as can be told cheaply. */
  checkUnchanged(): Promise<void>

  /** Called once, when nothing is read any more. */
  close(): Promise<void>
}

/** The body of one part: bytes in memory, or a range that is read when it is needed. */
export interface PartBody {
  readonly sizeBytes: number
  /** Present while the bytes are held in memory. */
  readonly bytes?: Uint8Array | undefined
  /** The bytes in pieces; may be called again for another attempt, or not be read. A piece is valid until the next is asked for. */
  stream(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  /** The same bytes as an untyped Blob, where the source can give one. */
  blob?: (() => Blob) | undefined
}

const pieceBytes = 524_288

/** A body over bytes in memory. Its pieces are views: nothing is copied. */
export function bytesBody(bytes: Uint8Array): PartBody {
  return {
    sizeBytes: bytes.byteLength,
    bytes,
    *stream() {
      for (let start = 0; start < bytes.byteLength; start += pieceBytes) yield bytes.subarray(start, start + pieceBytes)
    },
  }
}

/** A body that reads its range again for each attempt, so that a part of any size takes no memory. */
export function rangeBody(source: ByteSource, start: number, end: number): PartBody {
  return {
    sizeBytes: end - start,
    stream: () => source.stream(start, end),
    blob: source.blob ? () => source.blob?.(start, end) ?? new Blob() : undefined,
  }
}
