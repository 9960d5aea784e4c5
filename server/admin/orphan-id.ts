import { z } from 'zod'
import type { Deps } from '../deps.ts'
import { seal, unseal } from './seals.ts'

/** What an orphan's id names. Everything that may change is asked anew when it comes back. */
export interface NamedOrphan {
  key: string
  ossUploadId: string
  /** When it began, as the bucket's list told: it never changes, and OSS tells it nowhere else. Null for a row's that was not listed. */
  listedSince: Date | null
}

const prefix = 'orp_'
const Named = z.tuple([z.string(), z.string(), z.int().nullable()])

/** An id for an administrator of `reach` (null: of all tenants), good for this bucket alone. */
export async function writeOrphanId(
  deps: Pick<Deps, 'db' | 'objects'>,
  reach: string | null,
  { key, ossUploadId, listedSince }: NamedOrphan,
): Promise<string> {
  return (
    prefix + (await seal(deps, purposeOf(deps, reach), [writeKey(key), ossUploadId, listedSince?.getTime() ?? null]))
  )
}

/** What the id names; null for one that was not given to an administrator of `reach`. */
export async function readOrphanId(
  deps: Pick<Deps, 'db' | 'objects'>,
  reach: string | null,
  id: string,
): Promise<NamedOrphan | null> {
  const named = Named.safeParse(await unseal(deps, purposeOf(deps, reach), id.slice(prefix.length)))
  if (!named.success) return null
  const [key, ossUploadId, sinceMs] = named.data
  return { key: readKey(key), ossUploadId, listedSince: sinceMs === null ? null : new Date(sinceMs) }
}

/** A key as text that JSON makes no longer, whatever characters are in it: ids and cursors have a greatest length. */
export function writeKey(key: string): string {
  return Buffer.from(key).toString('base64url')
}

export function readKey(written: string): string {
  return Buffer.from(written, 'base64url').toString('utf8')
}

function purposeOf({ objects }: Pick<Deps, 'objects'>, reach: string | null): string {
  return JSON.stringify(['orphan', objects.bucket, reach])
}
