import { setTimeout as delay } from 'node:timers/promises'
import { findCallback, recordCallbackResult } from '../db/callback-rows.ts'
import { findParts, markRefused, replaceParts } from '../db/part-rows.ts'
import { planOf, type UploadRow } from '../db/upload-row.ts'
import { beginGivingUp, markCompleted, recordCompleteSent, returnToUploading, setDue } from '../db/upload-rows.ts'
import type { Deps } from '../deps.ts'
import type { CompleteOutcome, ListedPart, ObjectFacts } from '../oss/object-store.ts'
import { Problem } from '../problem.ts'
import { checkParts, type PartFault, type PartsVerdict, plannedParts, refusalMark, storedParts } from './check-parts.ts'
import { discardUpload } from './discard-upload.ts'
import { objectFault, wantedCrc64 } from './judge-object.ts'
import { retryInSeconds, withLease } from './lease.ts'
import { rereadUpload } from './reread-upload.ts'
import { attributesOf } from './start-upload.ts'
import { readStoredParts } from './stored-parts.ts'
import { LEASE_SECONDS, LOST_REPLY_PATIENCE_SECONDS } from './upload-state.ts'

const emptyCrc64 = '0'
const maxNamedParts = 1000

/**
 * Drives a `completing` row, whose lease the caller holds, to its outcome: `completed`; `uploading` with a thrown `parts-missing` or
 * `part-mismatch`; `aborting` or `aborted`; or still `completing` when OSS does not tell yet. May run any number of times: the object's own tag says whether an earlier run was heard.
 */
export async function finishUpload(deps: Deps, row: UploadRow): Promise<UploadRow> {
  return withLease(deps, row, async () => {
    // Only a Complete that was sent can have made the object, so the usual run does without this look.
    if (row.completeSentAt !== null) {
      const object = await deps.objects.headObject(row.key)
      if (object) return judgeObject(deps, row, object)
    }
    return row.sizeBytes === 0 ? putEmpty(deps, row) : joinParts(deps, row)
  })
}

async function putEmpty(deps: Deps, row: UploadRow): Promise<UploadRow> {
  if (row.claimedCrc64 !== null && row.claimedCrc64 !== emptyCrc64) throw await refuse(deps, row, wholeFileDiffers())
  const sent = await recordCompleteSent(deps.db.prisma, row, emptyCrc64)
  if (!sent) return rereadUpload(deps, row.id)
  deps.passed?.('complete: parts checked')
  const callback = await findCallback(deps.db.prisma, row.id)
  const outcome = await deps.objects.putEmptyObject(row.key, attributesOf(row), callback)
  deps.passed?.('complete: parts joined')
  await keepCallbackResult(deps, row, outcome)
  return settle(deps, sent, outcome, row.completeSentAt === null)
}

async function joinParts(deps: Deps, row: UploadRow): Promise<UploadRow> {
  const [listed, callback] = await Promise.all([
    readStoredParts(deps.objects, row),
    findCallback(deps.db.prisma, row.id),
  ])
  if (!listed) return settle(deps, row, { outcome: 'upload-gone' }, false)
  const expectedCrc64 = await assertComplete(deps, row, listed)
  const sent = await recordCompleteSent(deps.db.prisma, row, expectedCrc64)
  if (!sent) return rereadUpload(deps, row.id)
  deps.passed?.('complete: parts checked')
  const parts = plannedParts(planOf(row), listed)
  const outcome = await deps.objects.completeUpload(row.key, row.ossUploadId ?? '', parts, callback)
  deps.passed?.('complete: parts joined')
  await keepCallbackResult(deps, row, outcome)
  return settle(deps, sent, outcome, row.completeSentAt === null)
}

/** OSS tells it once, in the reply to Complete: kept before anything else can fail. A reply that was lost leaves none. */
async function keepCallbackResult(deps: Deps, row: UploadRow, outcome: CompleteOutcome): Promise<void> {
  if (outcome.outcome !== 'done' || !outcome.callback) return
  const { status, body } = outcome.callback
  if (status !== 200) deps.log.warn({ uploadId: row.id, status, reason: body }, 'the callback of an upload failed')
  await recordCallbackResult(deps.db.prisma, row.id, outcome.callback)
}

/** The CRC-64 the object must have, as far as it is known. Throws, with the row back in `uploading`, when parts are missing or wrong. */
async function assertComplete(deps: Deps, row: UploadRow, listed: readonly ListedPart[]): Promise<string | null> {
  const verdict = checkParts(planOf(row), listed, await findParts(deps.db.prisma, row.id))
  deps.metrics.partsChecked(listed.length)
  if (verdict.missing.length > 0 || verdict.mismatched.length > 0) {
    await markRefused(deps.db.prisma, row.id, refusalsOf(verdict.mismatched, listed))
    const problem = await refuse(deps, row, partsProblem(verdict))
    // From here on the checkpoint shows what is stored. Claims that are contradicted stay, so that they are held against the same part
    // again; those of missing parts go.
    const contradicted = verdict.mismatched.filter((fault) => fault.reason !== 'size').map((fault) => fault.partNumber)
    await replaceParts(deps.db, row.id, storedParts(planOf(row), listed), contradicted)
    throw problem
  }
  const { claimedCrc64 } = row
  if (claimedCrc64 !== null && verdict.crc64 !== null && claimedCrc64 !== verdict.crc64) {
    throw await refuse(deps, row, wholeFileDiffers())
  }
  return verdict.crc64 ?? claimedCrc64
}

function refusalsOf(mismatched: readonly PartFault[], listed: readonly ListedPart[]) {
  const marks = new Map(listed.map((part) => [part.partNumber, refusalMark(part)]))
  return mismatched.map(({ partNumber }) => ({ partNumber, mark: marks.get(partNumber) ?? '' }))
}

function partsProblem({ missing, mismatched }: Pick<PartsVerdict, 'missing' | 'mismatched'>): Problem {
  const faults = [...missing, ...mismatched].sort((a, b) => a.partNumber - b.partNumber)
  const detail = `${faults.length} ${faults.length === 1 ? 'part is' : 'parts are'} missing or wrong.`
  const code = missing.length > 0 ? 'parts-missing' : 'part-mismatch'
  return new Problem(code, detail, { parts: faults.slice(0, maxNamedParts) })
}

function wholeFileDiffers(): Problem {
  return new Problem('part-mismatch', 'The stored parts joined have another CRC-64 than the file. Compare each part’s.')
}

/** Nothing was committed: the upload goes on. The problem is returned for the caller to throw. */
async function refuse(deps: Deps, row: UploadRow, problem: Problem): Promise<Problem> {
  await returnToUploading(deps.db.prisma, row)
  return problem
}

/** After Complete, whatever was heard of it: the object decides. `isFirst`: no earlier Complete can still take effect. */
async function settle(deps: Deps, row: UploadRow, outcome: CompleteOutcome, isFirst: boolean): Promise<UploadRow> {
  if (outcome.outcome === 'part-changed') {
    throw await refuse(deps, row, new Problem('part-mismatch', 'A part changed while the parts were being joined.'))
  }
  if (outcome.outcome === 'refused' && isFirst) throw await refuse(deps, row, outcome.cause)
  if (outcome.outcome === 'unknown') {
    deps.log.warn({ uploadId: row.id, err: outcome.cause }, 'no usable reply to Complete; asking for the object')
  }
  const object = await findObjectPatiently(deps, row)
  if (object) return judgeObject(deps, row, object)
  if (mayStillTurnUp(row)) {
    await setDue(deps.db.prisma, row, 'completing', retryInSeconds(row))
    return rereadUpload(deps, row.id)
  }
  if (outcome.outcome === 'upload-gone') return giveUp(deps, row, 'upload-gone')
  // The parts are still there, and joining them has failed for minutes: back to where the upload can be completed or expire.
  throw await refuse(deps, row, new Problem('storage-unavailable', 'Object storage does not join the parts.'))
}

function mayStillTurnUp({ completeSentAt, lostAt, readAt }: UploadRow): boolean {
  const since = completeSentAt ?? lostAt
  return since !== null && readAt.getTime() - since.getTime() < LOST_REPLY_PATIENCE_SECONDS * 1000
}

/** A service that has just lost a reply may need a moment to show the object. */
async function findObjectPatiently(deps: Deps, row: UploadRow): Promise<ObjectFacts | null> {
  for (const waitMs of [0, 200, 600]) {
    await delay(waitMs)
    const object = await deps.objects.headObject(row.key)
    if (object) return object
  }
  return null
}

async function judgeObject(deps: Deps, row: UploadRow, object: ObjectFacts): Promise<UploadRow> {
  const fault = objectFault(row, object)
  if (fault) return giveUp(deps, row, fault)
  deps.passed?.('complete: object verified')
  const completed = await markCompleted(deps.db.prisma, row.id, {
    etag: object.etag,
    crc64: object.crc64 ?? wantedCrc64(row),
  })
  if (!completed) return rereadUpload(deps, row.id)
  deps.passed?.('complete: outcome recorded')
  deps.metrics.uploadCompleted(row.sizeBytes)
  return completed
}

async function giveUp(
  deps: Deps,
  row: UploadRow,
  reason: 'integrity' | 'key-taken' | 'upload-gone',
): Promise<UploadRow> {
  deps.log.error({ uploadId: row.id, key: row.key, reason }, 'an upload ended without its object')
  const aborting = await beginGivingUp(deps.db.prisma, row, reason, LEASE_SECONDS)
  return aborting ? discardUpload(deps, aborting) : rereadUpload(deps, row.id)
}
