import type { AdminUpload } from '@partway/client/contract'
import type { Config } from '../config.ts'
import { planOf, type UploadRow } from '../db/upload-row.ts'
import { endOfLife, expiresAt } from '../uploads/upload-view.ts'
import { monthlyCost } from './monthly-cost.ts'

/** The columns that {@link toAdminUpload} needs. */
type SeenColumns = Pick<
  UploadRow,
  Exclude<
    keyof AdminUpload,
    | 'partCount'
    | 'storedBytesReadAt'
    | 'monthlyCost'
    | 'ageSeconds'
    | 'idleSeconds'
    | 'expiresAt'
    | 'isStale'
    | 'isAdopted'
  > &
    keyof UploadRow
> &
  Pick<UploadRow, 'reconciledAt' | 'adoptedAt' | 'readAt'>

type Rules = Pick<Config['uploads'], 'staleAfterSeconds' | 'ttlSeconds' | 'pricePerGbMonth'>

/** The row as the contract's `AdminUpload`, at the moment it was read: ages are told by the database's clock. */
export function toAdminUpload(row: SeenColumns, rules: Rules): AdminUpload {
  return {
    id: row.id,
    tenant: row.tenant,
    subject: row.subject,
    state: row.state,
    fileName: row.fileName,
    contentType: row.contentType,
    bucket: row.bucket,
    key: row.key,
    sizeBytes: row.sizeBytes,
    partSizeBytes: row.partSizeBytes,
    partCount: planOf(row).partCount,
    storedBytes: row.storedBytes,
    storedBytesReadAt: row.reconciledAt?.toISOString() ?? null,
    monthlyCost: monthlyCost(row.storedBytes, rules.pricePerGbMonth),
    createdAt: row.createdAt.toISOString(),
    ageSeconds: secondsSince(row.createdAt, row.readAt),
    lastActivityAt: row.lastActivityAt.toISOString(),
    idleSeconds: secondsSince(row.lastActivityAt, row.readAt),
    expiresAt: expiresAt(row, rules).toISOString(),
    isStale: isStale(row, rules),
    grantsAliveUntil: row.grantsAliveUntil?.toISOString() ?? null,
    credentialsAliveUntil: row.credentialsAliveUntil?.toISOString() ?? null,
    completedAt: row.completedAt?.toISOString() ?? null,
    abortReason: row.abortReason,
    isAdopted: row.adoptedAt !== null,
  }
}

/** Whether an open upload is idle for STALE_AFTER_SECONDS, or older than UPLOAD_TTL_SECONDS. */
function isStale(row: Pick<UploadRow, 'state' | 'createdAt' | 'lastActivityAt' | 'readAt'>, rules: Rules): boolean {
  if (row.state === 'completed' || row.state === 'aborted') return false
  const idleMs = row.readAt.getTime() - row.lastActivityAt.getTime()
  return idleMs >= rules.staleAfterSeconds * 1000 || endOfLife(row, rules) <= row.readAt
}

function secondsSince(then: Date, now: Date): number {
  return Math.max(0, Math.floor((now.getTime() - then.getTime()) / 1000))
}
