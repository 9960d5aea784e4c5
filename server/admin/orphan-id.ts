import { z } from 'zod'
import type { Deps } from '../deps.ts'
import { seal, unseal } from './seals.ts'

/** What an orphan's id names. Everything else is asked anew when it comes back. */
export interface NamedOrphan {
  key: string
  ossUploadId: string
}

const prefix = 'orp_'
const Named = z.tuple([z.string(), z.string()])

/** An id for an administrator of `reach` (null: of all tenants), good for this bucket alone. */
export async function writeOrphanId(
  deps: Pick<Deps, 'db' | 'objects'>,
  reach: string | null,
  { key, ossUploadId }: NamedOrphan,
): Promise<string> {
  return prefix + (await seal(deps, purposeOf(deps, reach), [writeKey(key), ossUploadId]))
}

/** What the id names; null for one that was not given to an administrator of `reach`. */
export async function readOrphanId(
  deps: Pick<Deps, 'db' | 'objects'>,
  reach: string | null,
  id: string,
): Promise<NamedOrphan | null> {
  const named = Named.safeParse(await unseal(deps, purposeOf(deps, reach), id.slice(prefix.length)))
  return named.success ? { key: readKey(named.data[0]), ossUploadId: named.data[1] } : null
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
