import type { OrphanKind } from '@partway/client/contract'
import type { Config } from '../config.ts'
import { type UploadPlace, uploadPlaces } from '../upload-places.ts'
import { keySegment } from '../uploads/object-key.ts'

/* Where orphans are looked for, and what a key says about whose it is. Pure. */

/** The prefixes to compare, one after the other: those of the one tenant, or with null of all, where orphans of `kind` can be. */
export function orphanPrefixes(config: Config, tenant: string | null, kind: OrphanKind | undefined): string[] {
  return uploadPlaces(config)
    .filter(({ isDirect = false }) => kind === undefined || !isListedKind(kind) || isDirect === (kind === 'direct'))
    .map(({ keyPrefix }) => (tenant === null ? keyPrefix : `${keyPrefix}${keySegment(tenant)}/`))
}

/** Whether orphans of this kind are found in the bucket; the others are found in the table. */
export function isListedKind(kind: OrphanKind): kind is 'untracked' | 'direct' {
  return kind === 'untracked' || kind === 'direct'
}

/** The place a key lies in; null: none of this server's. */
export function placeOf(config: Config, key: string): UploadPlace | null {
  return uploadPlaces(config).find(({ keyPrefix }) => key.startsWith(keyPrefix)) ?? null
}

/** How the owner's tenant is written in a key below `place`, see {@link keySegment}; null for a key that is not made like that. */
export function ownerSegment({ keyPrefix }: UploadPlace, key: string): string | null {
  const [segment = '', ...rest] = key.slice(keyPrefix.length).split('/')
  // No row can have a key with a NUL: Postgres keeps none.
  if (key.includes('\0')) return null
  const isSegment = rest.length > 0 && (/^~[0-9a-f]{32}$/.test(segment) || keySegment(segment) === segment)
  return isSegment ? segment : null
}

/** The tenant behind a segment; null where only its hash stands there. */
export function plainTenant(segment: string | null): string | null {
  return segment === null || segment.startsWith('~') ? null : segment
}
