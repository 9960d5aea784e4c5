import type { Sweep, SweptUpload } from '@partway/client/contract'
import type { SweepRow } from '../db/sweep-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import type { Look } from '../uploads/look-at-upload.ts'

/** A report on the wire. */
export function toSweepView({ startedAt, finishedAt, ...rest }: SweepRow): Sweep {
  return { ...rest, startedAt: startedAt.toISOString(), finishedAt: finishedAt?.toISOString() ?? null }
}

/** What was done with an upload, on the wire. */
export function toSweptView(row: Pick<UploadRow, 'id' | 'tenant' | 'fileName'>, look: Look): SweptUpload {
  const { outcome, reason, storedBytes, aliveUntil } = look
  return {
    id: row.id,
    tenant: row.tenant,
    fileName: row.fileName,
    storedBytes,
    outcome,
    reason,
    aliveUntil: aliveUntil?.toISOString() ?? null,
  }
}
