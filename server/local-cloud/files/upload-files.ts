import { mkdir, readdir, rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writeJson } from './atomic-file.ts'
import type { Ingested } from './ingest.ts'
import { nextSequence, type PartFile, parsePartFileName, partFileName } from './part-file.ts'
import { createSerial, type Serial } from './serial.ts'
import { compareUtf8, groupByBucket, SortedList } from './sorted-list.ts'

/** What Initiate fixed. Written to `uploads/<id>.json`; the upload is open exactly as long as that file exists. */
export interface UploadRecord {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
  /** Milliseconds since the epoch. */
  readonly initiatedAt: number
  /** Content-Type and other headers of the object to be, `x-oss-meta-*` included. */
  readonly headers: Readonly<Record<string, string>>
  readonly storageClass: string
  readonly sequential: boolean
}

/** An upload in memory: enough to list it. Metadata and parts stay on disk. */
export interface OpenUpload {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
  readonly initiatedAt: number
  readonly sequential: boolean
  state: 'open' | 'aborted' | 'completed'
  /** Bodies being received right now. */
  inFlight: number
  /** Kept past an abort while bodies are in flight, because one that lands brings the upload back. */
  record?: UploadRecord
}

export type Parts = Map<number, PartFile>

/** Open uploads and their parts. */
export interface UploadFiles {
  /** Runs tasks of one upload one after the other. Everything below that changes an upload expects to be inside. */
  readonly serial: Serial
  find(bucket: string, key: string, uploadId: string): OpenUpload | null
  inBucket(bucket: string): SortedList<OpenUpload>
  create(record: UploadRecord): Promise<void>
  readRecord(upload: OpenUpload): Promise<UploadRecord>
  /** In no particular order. */
  readParts(upload: OpenUpload): Promise<Parts>
  /** Moves received bytes in as a part, over one of the same number. Null when the upload was completed meanwhile. */
  storePart(upload: OpenUpload, partNumber: number, bytes: Ingested, at: Date): Promise<PartFile | null>
  abort(upload: OpenUpload): Promise<void>
  /** Forgets an upload whose object has been committed; the files of `kept` parts stay where they are. */
  close(upload: OpenUpload, kept: ReadonlySet<string>): Promise<void>
  /** Folder with the bytes of an upload. */
  dataDir(uploadId: string): string
}

// Listing a folder for each part would make an upload of 10,000 parts quadratic; some hundred bytes per cached part do not.
const MAX_CACHED_PARTS = 50_000

export function createUploadFiles(
  dirs: { tmp: string; uploads: string; data: string },
  loaded: UploadRecord[],
): UploadFiles {
  const byId = new Map<string, OpenUpload>()
  const byBucket = new Map<string, SortedList<OpenUpload>>()
  const partsCache = new Map<string, Parts>()
  const serial = createSerial()
  const recordPath = (uploadId: string) => join(dirs.uploads, `${uploadId}.json`)
  const dataDir = (uploadId: string) => join(dirs.data, uploadId)

  const inBucket = (bucket: string) => {
    const list = byBucket.get(bucket) ?? new SortedList<OpenUpload>(byKeyThenId)
    byBucket.set(bucket, list)
    return list
  }
  const enter = (upload: OpenUpload) => {
    byId.set(upload.uploadId, upload)
    inBucket(upload.bucket).put(upload)
  }
  const leave = (upload: OpenUpload, state: 'aborted' | 'completed') => {
    upload.state = state
    byId.delete(upload.uploadId)
    inBucket(upload.bucket).remove(upload)
    partsCache.delete(upload.uploadId)
  }
  for (const [bucket, uploads] of groupByBucket(loaded.map(asOpenUpload))) {
    byBucket.set(bucket, new SortedList(byKeyThenId, uploads))
    for (const upload of uploads) byId.set(upload.uploadId, upload)
  }

  const readRecord = async (upload: OpenUpload) => {
    const record = upload.record ?? (await readJson<UploadRecord>(recordPath(upload.uploadId)))
    if (record === null) throw new Error(`the record of upload ${upload.uploadId} is missing`)
    return record
  }

  const readParts = async (upload: OpenUpload) => {
    const cached = partsCache.get(upload.uploadId)
    const parts = cached ?? (await readPartsDir(dataDir(upload.uploadId)))
    partsCache.delete(upload.uploadId)
    partsCache.set(upload.uploadId, parts)
    let total = 0
    for (const some of partsCache.values()) total += some.size
    for (const [id, some] of partsCache) {
      if (total <= MAX_CACHED_PARTS || id === upload.uploadId) break
      partsCache.delete(id)
      total -= some.size
    }
    return parts
  }

  return {
    serial,
    inBucket,
    readRecord,
    readParts,
    dataDir,
    find(bucket, key, uploadId) {
      const upload = byId.get(uploadId)
      return upload && upload.bucket === bucket && upload.key === key ? upload : null
    },
    async create(record) {
      await writeJson(dirs.tmp, recordPath(record.uploadId), record)
      enter(asOpenUpload(record))
    },
    async storePart(upload, partNumber, bytes, at) {
      if (upload.state === 'completed') return null
      const dir = dataDir(upload.uploadId)
      if (upload.state === 'aborted') {
        // As on OSS: an abort does not stop bodies in flight, and what lands has to be aborted again.
        await writeJson(dirs.tmp, recordPath(upload.uploadId), await readRecord(upload))
        upload.state = 'open'
        delete upload.record
        enter(upload)
      }
      const parts = await readParts(upload)
      const { sizeBytes, md5, crc64 } = bytes
      const part: PartFile = {
        partNumber,
        sequence: nextSequence(),
        sizeBytes,
        md5,
        crc64,
        lastModifiedAt: at.getTime(),
      }
      if (parts.size === 0) await mkdir(dir, { recursive: true })
      await rename(bytes.path, join(dir, partFileName(part)))
      const older = parts.get(partNumber)
      parts.set(partNumber, part)
      if (older) await unlink(join(dir, partFileName(older)))
      return part
    },
    async abort(upload) {
      if (upload.inFlight > 0) upload.record = await readRecord(upload)
      // The record goes first: without it the bytes belong to nobody and are removed, now or at the next start.
      await rm(recordPath(upload.uploadId), { force: true })
      leave(upload, 'aborted')
      await rm(dataDir(upload.uploadId), { recursive: true, force: true })
    },
    async close(upload, kept) {
      await rm(recordPath(upload.uploadId), { force: true })
      const parts = await readParts(upload)
      leave(upload, 'completed')
      const dir = dataDir(upload.uploadId)
      for (const part of parts.values()) {
        const name = partFileName(part)
        if (!kept.has(name)) await rm(join(dir, name), { force: true })
      }
    },
  }
}

function asOpenUpload(record: UploadRecord): OpenUpload {
  const { bucket, key, uploadId, initiatedAt, sequential } = record
  return { bucket, key, uploadId, initiatedAt, sequential, state: 'open', inFlight: 0 }
}

function byKeyThenId(a: OpenUpload, b: OpenUpload): number {
  return compareUtf8(a.key, b.key) || (a.uploadId < b.uploadId ? -1 : a.uploadId > b.uploadId ? 1 : 0)
}

async function readPartsDir(dir: string): Promise<Parts> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const parts: Parts = new Map()
  for (const name of names) {
    const part = parsePartFileName(name)
    if (!part) continue
    const other = parts.get(part.partNumber)
    if (!other || other.sequence < part.sequence) parts.set(part.partNumber, part)
  }
  return parts
}
