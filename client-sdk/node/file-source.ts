import { type FileHandle, open, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { ByteSource } from '../byte-source.ts'
import { ClientException } from '../errors.ts'
import { setFileRange } from './file-range.ts'

/** Each stream has two of these: 12 MiB for 4 parts in flight, one being hashed and one being compared. A quarter as large cost 6 % more
 *  processor time: each read is handed to a thread of Node's and back. */
const pieceBytes = 1_048_576

/**
 * A file as a source, read through one FileHandle. (Not fs.openAsBlob: on Node 20 and 24 it reports sizes modulo 2^32.)
 * Throws ClientException `source-unreadable` for what is missing, not a regular file, or not readable.
 */
export async function openFileSource(path: string): Promise<ByteSource> {
  const absolute = resolve(path)
  const file = await openRegularFile(absolute, path)
  const atStart = await file.stat({ bigint: true })
  // Pairs of buffers that streams in flight use in turn: while one piece is written out, the next is read.
  const freePieces: [Uint8Array, Uint8Array][] = []
  // Closed under them, the descriptor's number could become another file's.
  const borrowers = new Set<Promise<unknown>>()
  let isClosing = false

  async function readInto(target: Uint8Array, start: number): Promise<void> {
    let filled = 0
    while (filled < target.byteLength) {
      const { bytesRead } = await file
        .read(target, filled, target.byteLength - filled, start + filled)
        .catch((error: unknown) => {
          throw unreadable(path, error)
        })
      if (bytesRead === 0) throw changed(path, 'has become shorter')
      filled += bytesRead
    }
  }

  async function* readPieces(start: number, end: number): AsyncGenerator<Uint8Array> {
    const pair = freePieces.pop() ?? [new Uint8Array(pieceBytes), new Uint8Array(pieceBytes)]
    let next: Promise<Uint8Array> | undefined
    const readPiece = async (from: number, index: number) => {
      const buffer = pair[index % 2] ?? new Uint8Array(pieceBytes)
      const piece = buffer.subarray(0, Math.min(pieceBytes, end - from))
      await readInto(piece, from)
      return piece
    }
    try {
      let index = 0
      next = start < end ? readPiece(start, 0) : undefined
      for (let from = start; from < end; from += pieceBytes) {
        const piece = await (next as Promise<Uint8Array>)
        index += 1
        next = from + pieceBytes < end ? readPiece(from + pieceBytes, index) : undefined
        // A failure of the read ahead is thrown when its turn comes, not as an unhandled rejection before.
        next?.catch(() => {})
        yield piece
      }
    } finally {
      await next?.catch(() => {})
      freePieces.push(pair)
    }
  }

  async function lend<Result>(use: (fd: number) => Promise<Result>): Promise<Result> {
    const used = use(isClosing ? -1 : file.fd)
    borrowers.add(used)
    try {
      return await used
    } finally {
      borrowers.delete(used)
    }
  }

  return {
    name: basename(absolute),
    sizeBytes: Number(atStart.size),
    identity: absolute,
    async read(start, end, into) {
      const target = into ? into.subarray(0, end - start) : new Uint8Array(end - start)
      await readInto(target, start)
      return target
    },
    stream(start, end) {
      const pieces = readPieces(start, end)
      setFileRange(pieces, { start, end, lend })
      return pieces
    },
    async checkUnchanged() {
      const now = await stat(absolute, { bigint: true }).catch(() => undefined)
      if (!now) throw changed(path, 'is gone')
      if (now.ino !== atStart.ino || now.dev !== atStart.dev) throw changed(path, 'was replaced')
      if (now.size !== atStart.size) throw changed(path, 'has another size')
      if (now.mtimeNs !== atStart.mtimeNs) throw changed(path, 'was modified')
    },
    async close() {
      isClosing = true
      await Promise.allSettled(borrowers)
      await file.close()
    },
  }
}

async function openRegularFile(absolute: string, path: string): Promise<FileHandle> {
  // Asked before opening: opening a FIFO would wait for a writer.
  const kind = await stat(absolute).catch((error: unknown) => {
    throw unreadable(path, error)
  })
  if (kind.isDirectory()) throw new ClientException('source-unreadable', `${path} is a directory, not a file`)
  if (!kind.isFile()) {
    throw new ClientException(
      'source-unreadable',
      `${path} is not a regular file; only those can be read twice and resumed`,
    )
  }
  return open(absolute, 'r').catch((error: unknown) => {
    throw unreadable(path, error)
  })
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  EIO: 'cannot be read: the disk reports an error',
}

function unreadable(path: string, error: unknown): ClientException {
  const code = (error as { code?: unknown }).code
  const reason = typeof code === 'string' ? (reasons[code] ?? `cannot be read (${code})`) : 'cannot be read'
  return new ClientException('source-unreadable', `${path} ${reason}`, { cause: error })
}

function changed(path: string, what: string): ClientException {
  return new ClientException('source-changed', `${path} ${what} while it was being uploaded`)
}
