import { createHash } from 'node:crypto'
import { link, mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writeJson } from './atomic-file.ts'
import type { Ingested } from './ingest.ts'
import { nextSequence, parsePartFileName, partFileName } from './part-file.ts'
import { createSerial, type Serial } from './serial.ts'
import { compareUtf8, groupByBucket, SortedList } from './sorted-list.ts'

/** An object: a list of files in `data/<dataId>/`. Renaming this manifest into place is what makes the object exist. */
export interface ObjectManifest {
  readonly bucket: string
  readonly key: string
  readonly type: 'Normal' | 'Multipart'
  readonly sizeBytes: number
  /** Without quotes. */
  readonly etag: string
  /** Unsigned decimal. */
  readonly crc64: string
  /** Base64, for objects put in one piece. */
  readonly contentMd5: string | null
  /** Milliseconds since the epoch. */
  readonly lastModifiedAt: number
  readonly headers: Readonly<Record<string, string>>
  readonly storageClass: string
  readonly acl: string
  readonly dataId: string
  /** The upload this object was completed from: if its record is still there at start, Complete was cut short after its commit. */
  readonly uploadId: string | null
  /** File names in `data/<dataId>/`, in order. */
  readonly files: readonly string[]
}

/** What a listing needs of an object. */
export type ObjectEntry = Pick<
  ObjectManifest,
  'bucket' | 'key' | 'type' | 'sizeBytes' | 'etag' | 'lastModifiedAt' | 'storageClass' | 'dataId'
>

export interface ObjectFiles {
  /** Runs tasks of one object one after the other; `commit` and `remove` expect to be inside. */
  readonly serial: Serial
  find(bucket: string, key: string): ObjectEntry | null
  inBucket(bucket: string): SortedList<ObjectEntry>
  /** Reads the manifest and holds its bytes until `release`, whatever happens to the object meanwhile. Null when there is none. */
  open(bucket: string, key: string): Promise<OpenObject | null>
  /** Makes the object exist, over an older one of that name. */
  commit(manifest: ObjectManifest): Promise<void>
  remove(bucket: string, key: string): Promise<void>
  /** Makes received bytes the only file of a new data folder. */
  adopt(bytes: Ingested, dataId: string, at: Date): Promise<string>
  /** The same bytes under another data folder, without copying them. */
  linkFiles(manifest: ObjectManifest, dataId: string): Promise<void>
}

export interface OpenObject {
  readonly manifest: ObjectManifest
  /** Bytes `start` (inclusive) to `end` (exclusive). */
  bytes(start: number, end: number): AsyncGenerator<Buffer>
  release(): Promise<void>
}

/** The name under which `serial` orders changes of one object. */
export function objectId(bucket: string, key: string): string {
  return createHash('sha256').update(`${bucket}\n${key}`).digest('hex')
}

const READ_BYTES = 256 * 1024

export function createObjectFiles(
  dirs: { tmp: string; objects: string; data: string },
  loaded: ObjectEntry[],
): ObjectFiles {
  const byBucket = new Map<string, SortedList<ObjectEntry>>()
  const byId = new Map<string, ObjectEntry>()
  const readers = new Map<string, number>()
  const doomed = new Set<string>()
  const manifestPath = (bucket: string, key: string) => join(dirs.objects, `${objectId(bucket, key)}.json`)

  const inBucket = (bucket: string) => {
    const list = byBucket.get(bucket) ?? new SortedList<ObjectEntry>(byKey)
    byBucket.set(bucket, list)
    return list
  }
  for (const [bucket, entries] of groupByBucket(loaded)) {
    byBucket.set(bucket, new SortedList(byKey, entries))
    for (const entry of entries) byId.set(objectId(bucket, entry.key), entry)
  }
  // Data that somebody reads is removed when the last reader is done.
  const discard = async (dataId: string) => {
    if ((readers.get(dataId) ?? 0) > 0) doomed.add(dataId)
    else await rm(join(dirs.data, dataId), { recursive: true, force: true })
  }
  const release = async (dataId: string) => {
    const left = (readers.get(dataId) ?? 1) - 1
    if (left > 0) readers.set(dataId, left)
    else readers.delete(dataId)
    if (left === 0 && doomed.delete(dataId)) await discard(dataId)
  }

  return {
    serial: createSerial(),
    inBucket,
    find: (bucket, key) => byId.get(objectId(bucket, key)) ?? null,
    async open(bucket, key) {
      for (;;) {
        const entry = byId.get(objectId(bucket, key))
        if (!entry) return null
        const { dataId } = entry
        readers.set(dataId, (readers.get(dataId) ?? 0) + 1)
        const manifest = await readJson<ObjectManifest>(manifestPath(bucket, key))
        if (manifest?.dataId === dataId) {
          const dir = join(dirs.data, dataId)
          return {
            manifest,
            bytes: (start, end) => readRange(dir, manifest, start, end),
            release: () => release(dataId),
          }
        }
        // The disk is ahead of memory: another request is between its commit and noting it. Its next step is due.
        await release(dataId)
      }
    },
    async commit(manifest) {
      const { bucket, key } = manifest
      const id = objectId(bucket, key)
      const older = byId.get(id)
      await writeJson(dirs.tmp, manifestPath(bucket, key), manifest)
      const entry = entryOf(manifest)
      byId.set(id, entry)
      inBucket(bucket).put(entry)
      if (older && older.dataId !== manifest.dataId) await discard(older.dataId)
    },
    async remove(bucket, key) {
      const id = objectId(bucket, key)
      const entry = byId.get(id)
      if (!entry) return
      await rm(manifestPath(bucket, key), { force: true })
      byId.delete(id)
      inBucket(bucket).remove(entry)
      await discard(entry.dataId)
    },
    async adopt(bytes, dataId, at) {
      const dir = join(dirs.data, dataId)
      await mkdir(dir)
      const name = partFileName({ ...bytes, partNumber: 1, sequence: nextSequence(), lastModifiedAt: at.getTime() })
      await rename(bytes.path, join(dir, name))
      return name
    },
    async linkFiles(manifest, dataId) {
      const dir = join(dirs.data, dataId)
      await mkdir(dir)
      for (const name of manifest.files) await link(join(dirs.data, manifest.dataId, name), join(dir, name))
    },
  }
}

async function* readRange(dir: string, manifest: ObjectManifest, start: number, end: number): AsyncGenerator<Buffer> {
  let fileStart = 0
  for (const name of manifest.files) {
    const sizeBytes = parsePartFileName(name)?.sizeBytes ?? 0
    const from = Math.max(start - fileStart, 0)
    const to = Math.min(end - fileStart, sizeBytes)
    if (from < to) yield* readFileBytes(join(dir, name), from, to)
    fileStart += sizeBytes
    if (fileStart >= end) return
  }
}

async function* readFileBytes(path: string, start: number, end: number): AsyncGenerator<Buffer> {
  const file = await open(path, 'r')
  try {
    for (let at = start; at < end; ) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(READ_BYTES, end - at)), {
        position: at,
      })
      if (bytesRead === 0) throw new Error(`${path} is shorter than its name says`)
      yield buffer.subarray(0, bytesRead)
      at += bytesRead
    }
  } finally {
    await file.close()
  }
}

export function entryOf(manifest: ObjectManifest): ObjectEntry {
  const { bucket, key, type, sizeBytes, etag, lastModifiedAt, storageClass, dataId } = manifest
  return { bucket, key, type, sizeBytes, etag, lastModifiedAt, storageClass, dataId }
}

function byKey(a: ObjectEntry, b: ObjectEntry): number {
  return compareUtf8(a.key, b.key)
}
