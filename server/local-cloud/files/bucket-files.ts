import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { CorsRule } from '../cors.ts'
import type { XmlElement } from '../xml.ts'
import { writeJson } from './atomic-file.ts'
import { createSerial } from './serial.ts'

/** A bucket and its settings, one file each. */
export interface Bucket {
  readonly name: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly acl: string
  readonly cors: { readonly rules: readonly CorsRule[]; readonly responseVary: boolean } | null
  /** The rules as they were put, with an ID each. */
  readonly lifecycle: readonly XmlElement[] | null
}

export interface BucketFiles {
  find(name: string): Bucket | null
  /** By name. */
  all(): Bucket[]
  /** Makes a bucket where there is none of that name. */
  create(bucket: Bucket): Promise<void>
  /** Changes some settings of a bucket; the others stay, also when they are being changed at the same time. */
  change(name: string, settings: Partial<Pick<Bucket, 'acl' | 'cors' | 'lifecycle'>>): Promise<void>
  remove(name: string): Promise<void>
}

export function createBucketFiles(dirs: { tmp: string; buckets: string }, loaded: Bucket[]): BucketFiles {
  const byName = new Map(loaded.map((bucket) => [bucket.name, bucket]))
  const path = (name: string) => join(dirs.buckets, `${name}.json`)
  const serial = createSerial()
  const save = async (bucket: Bucket) => {
    await writeJson(dirs.tmp, path(bucket.name), bucket)
    byName.set(bucket.name, bucket)
  }
  return {
    find: (name) => byName.get(name) ?? null,
    all: () => [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    create: (bucket) =>
      serial(bucket.name, async () => {
        if (!byName.has(bucket.name)) await save(bucket)
      }),
    change: (name, settings) =>
      serial(name, async () => {
        const bucket = byName.get(name)
        if (bucket) await save({ ...bucket, ...settings })
      }),
    remove: (name) =>
      serial(name, async () => {
        await rm(path(name), { force: true })
        byName.delete(name)
      }),
  }
}
