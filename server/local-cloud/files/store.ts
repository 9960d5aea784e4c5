import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type CallbackKey, createCallbackKey } from '../callback/callback-key.ts'
import { readJson, writeJson } from './atomic-file.ts'
import { type Bucket, type BucketFiles, createBucketFiles } from './bucket-files.ts'
import { ownDataDir } from './data-dir-owner.ts'
import { createObjectFiles, entryOf, type ObjectEntry, type ObjectFiles, type ObjectManifest } from './object-files.ts'
import { createUploadFiles, type UploadFiles, type UploadRecord } from './upload-files.ts'

/* The data directory:
 *
 *   buckets/<name>.json            a bucket and its settings
 *   uploads/<id>.json              an open upload
 *   objects/<sha256>.json          an object: the manifest that lists its files
 *   data/<id>/<part file>          bytes of the upload or object <id>
 *   tmp/                           what is being written; emptied at start
 *   master-key                     seals the tokens of the local STS
 *   callback-key                   signs callbacks; made with the first of them
 *
 * Every change is one rename or one removal, so a process killed at any moment leaves a state in which each upload is open or
 * gone and each object old or new; `openStore` then removes what belongs to nobody. */

export interface Store {
  readonly buckets: BucketFiles
  readonly uploads: UploadFiles
  readonly objects: ObjectFiles
  readonly tmpDir: string
  readonly masterKey: Buffer
  readonly callbackKey: CallbackKey
  close(): Promise<void>
}

/** Opens a data directory, creating it if needed, and mends what a kill interrupted. Throws when another process has it open, or
 *  when a file in it is damaged: starting without that file would delete the bytes it speaks for. */
export async function openStore(dataDir: string): Promise<Store> {
  const under = (name: string) => join(dataDir, name)
  const dirs = {
    buckets: under('buckets'),
    uploads: under('uploads'),
    objects: under('objects'),
    data: under('data'),
    tmp: under('tmp'),
  }
  await mkdir(dataDir, { recursive: true })
  const owner = await ownDataDir(dataDir)
  try {
    await rm(dirs.tmp, { recursive: true, force: true })
    for (const dir of Object.values(dirs)) await mkdir(dir, { recursive: true })
    const records = await loadAll<UploadRecord, UploadRecord>(dirs.uploads, (record) => record)
    const recordIds = new Set<string | null>(records.map((record) => record.uploadId))
    const loaded = await loadAll<ObjectManifest, LoadedObject>(dirs.objects, (manifest) => ({
      entry: entryOf(manifest),
      cutShort: recordIds.has(manifest.uploadId) ? manifest : null,
    }))
    const open = await finishCompletes(dirs, loaded, records)
    const owned = [...loaded.map(({ entry }) => entry.dataId), ...open.map((record) => record.uploadId)]
    await removeOrphans(dirs.data, new Set(owned))
    const entries = loaded.map(({ entry }) => entry)
    return {
      buckets: createBucketFiles(dirs, await loadAll<Bucket, Bucket>(dirs.buckets, (bucket) => bucket)),
      uploads: createUploadFiles(dirs, open),
      objects: createObjectFiles(dirs, entries),
      tmpDir: dirs.tmp,
      masterKey: await readMasterKey(dirs.tmp, under('master-key')),
      callbackKey: createCallbackKey(dirs, under('callback-key')),
      close: () => owner.close(),
    }
  } catch (error) {
    await owner.close()
    throw error
  }
}

interface LoadedObject {
  readonly entry: ObjectEntry
  /** The whole manifest where Complete was cut short after its commit; elsewhere its list of files is not kept. */
  readonly cutShort: ObjectManifest | null
}

/** Reading synchronously is several times faster than a promise per file, and nothing else runs yet. */
async function loadAll<T, R>(dir: string, pick: (value: T) => R): Promise<R[]> {
  return (await readdir(dir)).map((name) => {
    const path = join(dir, name)
    try {
      return pick(JSON.parse(readFileSync(path, 'utf8')) as T)
    } catch (cause) {
      throw new Error(`${path} is damaged; move it away to start without what it describes`, { cause })
    }
  })
}

/** An upload named by a manifest was completed: the manifest is the commit, the record's removal comes after it. Returns the
 *  records of uploads that are still open. */
async function finishCompletes(
  dirs: { uploads: string; data: string },
  loaded: LoadedObject[],
  records: UploadRecord[],
): Promise<UploadRecord[]> {
  const completed = new Set<string | null>()
  for (const { cutShort } of loaded) {
    if (!cutShort?.uploadId) continue
    completed.add(cutShort.uploadId)
    const dir = join(dirs.data, cutShort.dataId)
    const kept = new Set(cutShort.files)
    for (const name of await readdir(dir)) if (!kept.has(name)) await rm(join(dir, name), { force: true })
    await rm(join(dirs.uploads, `${cutShort.uploadId}.json`), { force: true })
  }
  return records.filter((record) => !completed.has(record.uploadId))
}

async function removeOrphans(dataDir: string, owned: ReadonlySet<string>): Promise<void> {
  for (const id of await readdir(dataDir)) {
    if (!owned.has(id)) await rm(join(dataDir, id), { recursive: true, force: true })
  }
}

async function readMasterKey(tmpDir: string, path: string): Promise<Buffer> {
  const stored = await readJson<string>(path)
  if (stored === null) await writeJson(tmpDir, path, randomBytes(32).toString('hex'))
  const key = Buffer.from(stored ?? (await readJson<string>(path)) ?? '', 'hex')
  if (key.length !== 32)
    throw new Error(`${path} is damaged; remove it, and temporary credentials made so far are void`)
  return key
}
