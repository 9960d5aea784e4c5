import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { CorsRule } from '../cors.ts'
import type { XmlElement } from '../xml.ts'
import { writeJson } from './atomic-file.ts'

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
  save(bucket: Bucket): Promise<void>
  remove(name: string): Promise<void>
}

export function createBucketFiles(dirs: { tmp: string; buckets: string }, loaded: Bucket[]): BucketFiles {
  const byName = new Map(loaded.map((bucket) => [bucket.name, bucket]))
  const path = (name: string) => join(dirs.buckets, `${name}.json`)
  return {
    find: (name) => byName.get(name) ?? null,
    all: () => [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    async save(bucket) {
      await writeJson(dirs.tmp, path(bucket.name), bucket)
      byName.set(bucket.name, bucket)
    },
    async remove(name) {
      await rm(path(name), { force: true })
      byName.delete(name)
    },
  }
}
