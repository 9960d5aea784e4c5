import type { Upload } from '@partway/client/contract'
import { findPartRanges } from '../db/part-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import { claimIfDue, findUpload } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import { type Principal, reachOf } from '../principal.ts'
import { Problem } from '../problem.ts'
import { driveOn } from './drive-on.ts'
import { rereadUpload } from './reread-upload.ts'
import { endedCode, isLeftBehind, LEASE_SECONDS, stateAnswers, type UploadOperation } from './upload-state.ts'
import { toUploadView } from './upload-view.ts'

/**
 * The upload that a request is about, if the caller may see it and the operation is served in its state. A row whose lease has run out
 * is driven on first. Throws `upload-not-found` (also for rows out of reach), and what the table of states says.
 */
export async function loadUpload(
  deps: Deps,
  principal: Principal,
  id: string,
  operation: UploadOperation,
): Promise<UploadRow> {
  const found = await findUpload(deps.db.prisma, id, reachOf(principal))
  if (!found) throw new Problem('upload-not-found')
  assertReachable(deps, found, operation)
  const row = await driveOnIfDue(deps, found)
  assertServed(row, operation)
  if (row.adoptedAt !== null) assertServedAdopted(operation)
  return row
}

/** Nobody knows what an adopted upload was to become: it is tracked only to be swept. */
function assertServedAdopted(operation: UploadOperation): void {
  if (operation === 'getUpload' || operation === 'listParts' || operation === 'abortUpload') return
  throw new Problem(
    'upload-state-conflict',
    'The upload was found in the bucket and adopted: it can be read and given up, not gone on with.',
  )
}

/** Throws the Problem that the table of states has for this operation, if it has one. */
export function assertServed(row: UploadRow, operation: UploadOperation): void {
  const answer = stateAnswers[operation][row.state]
  if (answer === 'serve') return
  if (answer === 'ended') throw new Problem(endedCode(row.abortReason), `The upload was given up: ${row.abortReason}.`)
  throw stateConflict(row)
}

/**
 * For a caller whose conditional update found the row in another state than it was read in: throws what the table says of where the row
 * is now, and a conflict worth asking again about when it is back where it was.
 */
export async function throwMoved(deps: Deps, id: string, operation: UploadOperation): Promise<never> {
  const current = await rereadUpload(deps, id)
  assertServed(current, operation)
  throw stateConflict(current)
}

function stateConflict(row: UploadRow): Problem {
  // Every state but the final ones passes, most within seconds: worth asking again.
  return new Problem(
    'upload-state-conflict',
    `The upload is ${row.state}.`,
    row.state === 'completed' ? {} : { retryAfterSeconds: 1 },
  )
}

/** After a change of OSS_BUCKET, the former bucket's uploads can be looked at, and otherwise wait for its return: asking the present
 *  bucket for them would make them look gone. */
function assertReachable(deps: Deps, row: UploadRow, operation: UploadOperation): void {
  if (row.bucket === deps.objects.bucket || operation === 'getUpload') return
  if (row.state === 'completed' || row.state === 'aborted') return
  throw new Problem('storage-unavailable', 'The upload is in another bucket than this server’s.')
}

/** Heals a row that its former driver left behind. When that fails, the row is served as it is. */
async function driveOnIfDue(deps: Deps, row: UploadRow): Promise<UploadRow> {
  if (!isLeftBehind(row) || row.bucket !== deps.objects.bucket) return row
  const claimed = await claimIfDue(deps.db.prisma, row.id, LEASE_SECONDS)
  if (!claimed) return (await findUpload(deps.db.prisma, row.id)) ?? row
  try {
    return await driveOn(deps, claimed)
  } catch (error) {
    deps.log.warn({ uploadId: row.id, state: row.state, err: error }, 'an upload could not be driven on')
    return (await findUpload(deps.db.prisma, row.id)) ?? row
  }
}

/** The row on the wire, with its checkpoint. */
export async function viewUpload(deps: Deps, row: UploadRow): Promise<Upload> {
  const [view] = await viewUploads(deps, [row])
  if (!view) throw new Error('a view of one row is one view')
  return view
}

/** Rows on the wire, with their checkpoints read in one query. */
export async function viewUploads(deps: Deps, rows: readonly UploadRow[]): Promise<Upload[]> {
  const open = rows.filter((row) => row.partSizeBytes > 0 && (row.state === 'uploading' || row.state === 'completing'))
  const ranges =
    open.length > 0
      ? await findPartRanges(
          deps.db.prisma,
          open.map((row) => row.id),
        )
      : new Map()
  return rows.map((row) => toUploadView(row, ranges.get(row.id) ?? [], deps.config.uploads))
}
