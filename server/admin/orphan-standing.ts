import type { OrphanAction, OrphanKind, ResolvedOrphan } from '@partway/client/contract'
import type { UploadRow } from '../db/upload-row.ts'
import type { ObjectFacts } from '../oss/object-store.ts'
import { objectFault } from '../uploads/judge-object.ts'
import { lastLookInSeconds } from '../uploads/upload-state.ts'

/* What a multipart upload is to the row of its key, and what may be done about it. Pure. */

// As for sweeps: `olderThanSeconds` is no less. OSS and the database have each a clock of their own; an hour is more than they differ.
const LEAST_IDLE_SECONDS = 3600

/** What OSS holds of an upload. */
export interface StoredParts {
  bytes: number
  partCount: number
  largestPartBytes: number
  /** By the clock of OSS; null: there is none. */
  newestPartAt: Date | null
}

/** An orphan as OSS and the table told of it at one moment. */
export interface FoundOrphan {
  kind: OrphanKind
  key: string
  ossUploadId: string
  /** How the owner's tenant is written in the key; null: the key does not tell. */
  segment: string | null
  /** The row of its key. */
  row: UploadRow | null
  /** Null: OSS knows no such upload. */
  stored: StoredParts | null
  /** When it began, by the clock of OSS; null where the bucket's list did not tell. */
  initiatedAt: Date | null
  /** Under its key, where the upload is gone. */
  object: ObjectFacts | null
  /** When the last credentials for its key end, or did; null: there were none. */
  credentialsEndAt: Date | null
  /** The database's clock. */
  readAt: Date
}

/**
 * `tracked`: it is the row's. `in-motion`: somebody is at work on the row, and on every upload of its key: a create whose id is not stored
 * yet, an abort, or what comes up to its second look. `stray`: no row has it, or the row of its key has another or has ended.
 */
export type Standing = 'tracked' | 'in-motion' | 'stray'

export function standingOf(row: UploadRow | null, ossUploadId: string): Standing {
  switch (row?.state) {
    case 'pending':
    case 'aborting':
      return 'in-motion'
    case 'aborted':
      return row.dueAt === null ? 'stray' : 'in-motion'
    case 'uploading':
    case 'completing':
      return row.ossUploadId === ossUploadId ? 'tracked' : 'stray'
    case 'completed':
    case undefined:
      return 'stray'
  }
}

/** Why `action` is not to be done about it; null: it may be. */
export function refusalOf(found: FoundOrphan, action: OrphanAction): ResolvedOrphan['reason'] | null {
  if (!fittingActions(found).includes(action)) return 'wrong-action'
  if (action === 'adopt') {
    if (found.stored?.partCount === 0) return 'no-parts'
    return found.segment === null ? 'unknown-owner' : null
  }
  if (isWhole(found)) return null
  if (action === 'abort') return aliveReason(found) ?? (isActive(found) ? 'active' : null)
  // Where the upload is gone, URLs of its parts are good for nothing; who has credentials may have begun another under the key.
  const alive = aliveReason(found)
  return alive === 'grant-alive' ? null : alive
}

/** Nobody's row tells of its activity, so OSS must: younger, or grown more lately, than any sweep may ask for is somebody's work. Of what began
 *  nobody knows when, nobody knows that it is old. And a part that was begun with credentials may be on its way for hours after their end,
 *  before OSS shows anything of it. */
function isActive({ stored, initiatedAt, credentialsEndAt, readAt }: FoundOrphan): boolean {
  if (lastLookInSeconds({ credentialsAliveUntil: credentialsEndAt, readAt }) > 0) return true
  const lastAt = stored?.newestPartAt ?? initiatedAt
  // An instant that cannot be read is no number: not old either.
  return !(lastAt !== null && readAt.getTime() - lastAt.getTime() >= LEAST_IDLE_SECONDS * 1000)
}

function fittingActions({ kind, row }: FoundOrphan): readonly OrphanAction[] {
  if (kind === 'direct') return ['abort']
  if (kind === 'untracked') return row ? ['abort'] : ['adopt', 'abort']
  return ['close']
}

/** What the row of an upload that is gone says when it is closed: `completed`, or why it is aborted. */
export function endOf({ row, object }: FoundOrphan): ResolvedOrphan['closedAs'] {
  if (row === null || object === null) return 'upload-gone'
  return objectFault(row, object) ?? 'completed'
}

/** Closing one whose object is there, whole, discards nothing. Without, its row ends like any upload: with an abort of whatever multipart
 *  uploads there are under its key. An object stays in any case. */
function isWhole(found: FoundOrphan): boolean {
  return found.row !== null && endOf(found) === 'completed'
}

function aliveReason({ row, credentialsEndAt, readAt }: FoundOrphan): 'grant-alive' | 'credential-alive' | null {
  if (credentialsEndAt !== null && credentialsEndAt > readAt) return 'credential-alive'
  return row?.grantsAliveUntil && row.grantsAliveUntil > readAt ? 'grant-alive' : null
}
